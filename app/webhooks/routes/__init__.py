"""The routes of webhooks; importing a module adds its routes to the room's one blueprint."""

from app.webhooks.routes import deliveries, types, webhooks
from app.webhooks.routes.base import blueprint

blueprints = (blueprint,)

__all__ = ["blueprint", "blueprints", "deliveries", "types", "webhooks"]
