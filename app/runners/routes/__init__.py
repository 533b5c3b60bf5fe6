"""Routes: for people who have runners, and for the runners."""

from app.runners.routes import artifacts, attempts, caches, people, runner, steps
from app.runners.routes.base import machines, runners

__all__ = ["artifacts", "attempts", "blueprints", "caches", "people", "runner", "steps"]

blueprints = (runners, machines)
