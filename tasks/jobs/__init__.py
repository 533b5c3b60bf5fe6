"""What workers do for jobs themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.jobs import MoveJobs, PruneHistory, Run, prune
from app.kernel.events import forget_old_records
from app.kernel.idempotency import forget_expired_keys
from app.kernel.stream import forget_old_events
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
        "jobs": _forget_all(run, partial(prune, days=days)),
        "stream_events": _forget_all(run, partial(forget_old_events, days=days)),
        "events": _forget_all(run, partial(forget_old_records, days=days)),
        "idempotency_keys": _forget_all(run, forget_expired_keys),
    }


def _forget_all(run: Run, forget: Callable[[Session], int]) -> int:
    """Call `forget`, which deletes some rows and says how many, until it finds none; each call in its transaction."""
    forgotten = 0
    while True:
        run.check()
        with run.recording() as (session, _job):
            batch = forget(session)
        forgotten += batch
        if batch == 0:
            return forgotten
