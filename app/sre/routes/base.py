"""The room's blueprint."""

from __future__ import annotations

from app.http import Blueprint

blueprint = Blueprint(
    "sre", description="What is unusual in series, what goes wrong, and what should be done about clusters"
)
