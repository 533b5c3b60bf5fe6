"""The routes of monitoring; importing a module adds its routes to the room's one blueprint."""

from app.monitoring.routes import alerts, metrics, places, rules, silences, sources, write
from app.monitoring.routes.base import blueprint, find_place, own_organization

blueprints = (blueprint,)

__all__ = [
    "alerts",
    "blueprint",
    "blueprints",
    "find_place",
    "metrics",
    "own_organization",
    "places",
    "rules",
    "silences",
    "sources",
    "write",
]
