"""The routes of notifications; importing a module adds its routes to one of the room's blueprints."""

from app.notifications.metrics import read_metrics
from app.notifications.routes import attachments, notifications, providers, suppressions, templates
from app.notifications.routes.base import blueprint
from app.notifications.routes.callbacks import callbacks

blueprint.tells_metrics(read_metrics)

blueprints = (blueprint, callbacks)

__all__ = [
    "attachments",
    "blueprint",
    "blueprints",
    "callbacks",
    "notifications",
    "providers",
    "suppressions",
    "templates",
]
