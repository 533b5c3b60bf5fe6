"""What workers do for jobs themselves."""

from __future__ import annotations

from typing import Any

from app.jobs import PruneHistory, Run, prune
from app.kernel.events import forget_old_records
from app.kernel.stream import forget_old_events
from tasks.handling import handles
from tasks.tools import Tools


@handles(PruneHistory)
def prune_history(run: Run, _: PruneHistory, tools: Tools) -> dict[str, Any]:
    """Delete the jobs, stream events and announced events that are older than the settings keep."""
    deleted = {}
    for name, forget in (("jobs", prune), ("stream_events", forget_old_events), ("events", forget_old_records)):
        deleted[name] = 0
        while batch := _forget_some(run, tools.history_days, forget):
            deleted[name] += batch
    return {"deleted": deleted}


def _forget_some(run: Run, days: int, forget: Any) -> int:
    run.check()
    with run.recording() as (session, _job):
        return int(forget(session, days))
