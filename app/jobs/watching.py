"""What operators see of the job table: whether somebody takes the jobs."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.http import Check, Finding, platform
from app.jobs.models import QUEUED, Job
from app.kernel.clock import database_now

LATE_SECONDS = 60.0


def watch_jobs(app: Flask) -> None:
    """Add the job table to the health of an application whose platform is in place."""
    with app.app_context():
        parts = platform()

    def look() -> Finding:
        with parts.database.transaction() as session:
            return find_late_jobs(session)

    parts.checks.append(Check("workers", look))


def find_late_jobs(session: Session) -> Finding:
    """Tell whether jobs that are due wait for longer than a minute: then no worker reads their queue, or too few do."""
    age = func.extract("epoch", database_now() - func.min(Job.scheduled_for))
    late = select(Job.queue, func.count(), age).where(
        Job.status == QUEUED, ~Job.held, Job.scheduled_for <= database_now()
    )
    waiting = [row for row in session.execute(late.group_by(Job.queue)) if row[2] > LATE_SECONDS]
    if not waiting:
        return Finding("healthy", "Jobs are taken as they come.")
    queues = ", ".join(f"{count} in {queue} for up to {seconds:.0f} s" for queue, count, seconds in waiting)
    return Finding("degraded", f"Jobs wait: {queues}. Are there workers for these queues?")
