"""The routes of clusters; importing a module adds its routes to the room's one blueprint."""

from app.clusters.routes import apply, clusters, health, inventory, providers
from app.clusters.routes.base import blueprint

blueprints = (blueprint,)

__all__ = ["apply", "blueprint", "blueprints", "clusters", "health", "inventory", "providers"]
