"""The routes of clusters; importing a module adds its routes to the room's one blueprint."""

from app.clusters.metrics import read_metrics
from app.clusters.routes import apply, clusters, health, inventory, providers
from app.clusters.routes.base import blueprint

blueprints = (blueprint,)
blueprint.tells_metrics(read_metrics)

__all__ = ["apply", "blueprint", "blueprints", "clusters", "health", "inventory", "providers"]
