"""The routes of pipelines; importing a module adds its routes to the room's one blueprint."""

from app.pipelines.routes import (
    approvals,
    artifacts,
    badges,
    caches,
    environments,
    executions,
    logs,
    pipelines,
    runs,
    secrets,
    settings,
    tests,
    variables,
    workspace_webhook,
)
from app.pipelines.routes.base import blueprint
from app.pipelines.routes.webhooks import webhooks

blueprints = (blueprint, webhooks)

__all__ = [
    "approvals",
    "artifacts",
    "badges",
    "blueprint",
    "blueprints",
    "caches",
    "environments",
    "executions",
    "logs",
    "pipelines",
    "runs",
    "secrets",
    "settings",
    "tests",
    "variables",
    "workspace_webhook",
]
