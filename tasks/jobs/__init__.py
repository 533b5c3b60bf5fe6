"""What workers do for jobs themselves."""

from __future__ import annotations

from typing import Any

from app.jobs import PruneHistory, Run, prune
from tasks.handling import handles
from tasks.tools import Tools


@handles(PruneHistory)
def prune_history(run: Run, _: PruneHistory, tools: Tools) -> dict[str, Any]:
    """Delete what is older than the settings keep, a thousand jobs a transaction."""
    deleted = 0
    while True:
        run.check()
        with run.recording() as (session, _job):
            batch = prune(session, tools.history_days)
        deleted += batch
        if batch == 0:
            return {"deleted": deleted}
