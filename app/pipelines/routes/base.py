"""The room's blueprint."""

from __future__ import annotations

from app.http import Blueprint

blueprint = Blueprint("pipelines", description="Pipelines, their executions, logs and artifacts")
