"""The routes of notifications; importing a module adds its routes to the room's one blueprint."""

from app.notifications.routes import notifications, providers, suppressions, templates
from app.notifications.routes.base import blueprint

blueprints = (blueprint,)

__all__ = ["blueprint", "blueprints", "notifications", "providers", "suppressions", "templates"]
