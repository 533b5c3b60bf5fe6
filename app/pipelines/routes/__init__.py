"""The routes of pipelines; importing a module adds its routes to the room's one blueprint."""

from app.pipelines.routes import artifacts, executions, logs, pipelines, secrets
from app.pipelines.routes.base import blueprint

__all__ = ["artifacts", "blueprint", "executions", "logs", "pipelines", "secrets"]
