"""What a worker asks of the job table about the attempts that its processes run, and writes when it has killed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.jobs.claiming import hold_attempt
from app.jobs.models import CANCELLED, RUNNING, Job
from app.jobs.service import end
from app.kernel.clock import database_now


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands: who may run it, and for how many seconds its cancel has been asked for."""

    kind: str
    attempt: int
    is_running: bool
    cancelling_for: float | None


def find_standings(session: Session, job_ids: Sequence[UUID]) -> Mapping[UUID, Standing]:
    """Return how jobs stand; those that are gone are not in it."""
    asked_for = func.extract("epoch", database_now() - Job.cancel_requested_at)
    rows = session.execute(select(Job.id, Job.kind, Job.attempt, Job.status, asked_for).where(Job.id.in_(job_ids)))
    return {
        row.id: Standing(row.kind, row.attempt, row.status == RUNNING, None if row[4] is None else float(row[4]))
        for row in rows
    }


def end_killed(session: Session, job_id: UUID, attempt: int) -> None:
    """End a cancelled attempt whose process was killed because it did not end by itself; raises LeaseLost when the job
    is not this attempt's."""
    parent_id = session.scalar(select(Job.parent_id).where(Job.id == job_id))
    end(session, hold_attempt(session, job_id, attempt, parent_id), CANCELLED)
