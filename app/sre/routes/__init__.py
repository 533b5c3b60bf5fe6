"""The routes of SRE; importing a module adds its routes to the room's one blueprint."""

from app.sre.routes import anomalies, forecasts, insights, problems, recommendations, scans, schedules
from app.sre.routes.base import blueprint

blueprints = (blueprint,)

__all__ = [
    "anomalies",
    "blueprint",
    "blueprints",
    "forecasts",
    "insights",
    "problems",
    "recommendations",
    "scans",
    "schedules",
]
