"""What workers do for jobs themselves."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.jobs import MoveJobs, PruneHistory, Run, prune
from app.kernel.events import forget_old_records
from app.kernel.idempotency import forget_expired_keys
from app.kernel.stream import forget_old_events
from tasks.forgetting import forget_all
from tasks.handling import handles
from tasks.jobs.bulk import move_jobs
from tasks.jobs.keep_history import keep_history
from tasks.tools import Tools


@handles(MoveJobs)
def move_many_jobs(run: Run, _: MoveJobs, __: Tools) -> dict[str, Any]:
    """Retry or cancel the jobs that a filter matched."""
    return move_jobs(run)


@handles(PruneHistory)
def prune_history(run: Run, _: PruneHistory, tools: Tools) -> dict[str, Any]:
    """Delete jobs, their history, streams, events and idempotency keys that are older than they are kept."""
    days = tools.history_days
    return {
        "weeks_of_history": keep_history(run, tools),
        "jobs": forget_all(run, partial(prune, days=days)),
        "stream_events": forget_all(run, partial(forget_old_events, days=days)),
        "events": forget_all(run, partial(forget_old_records, days=days)),
        "idempotency_keys": forget_all(run, forget_expired_keys),
    }
