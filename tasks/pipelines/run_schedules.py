"""What is due by the clock, one schedule a transaction."""

from __future__ import annotations

from typing import Any

from app.jobs import Run
from app.pipelines import run_next_due


def run_schedules(run: Run) -> dict[str, Any]:
    """Start all that is due and say how many executions that made."""
    started = looked = 0
    while True:
        run.check()
        with run.recording() as (session, _):
            schedule = run_next_due(session)
        if schedule is None:
            return {"due": looked, "started": started}
        looked += 1
        started += schedule.reason is None and schedule.last_at is not None
