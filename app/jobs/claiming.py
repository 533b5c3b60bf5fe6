"""What workers do with the job table: claim, beat, record, finish, give back. Each write names the attempt it is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Result, bindparam, func, select, update
from sqlalchemy.orm import Session

from app.jobs.errors import LeaseLost
from app.jobs.models import CANCELLED, FAILED, QUEUED, RUNNING, Job, fresh_event, topic_of
from app.jobs.places import has_place, hold_back, lock_line
from app.jobs.service import Hint, end, send_next
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import note, table_of
from app.kernel.stream import publish


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one attempt of a job, until the lease ends."""

    job_id: UUID
    attempt: int
    kind: str
    payload: dict[str, Any]
    parent_id: UUID | None
    organization_id: UUID | None
    origin: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat learned."""

    held: bool
    cancel_requested: bool


_JOBS = table_of(Job)
_LEASE_END = database_now() + sql_seconds(bindparam("lease_seconds"))
_IS_MINE = (
    (_JOBS.c.id == bindparam("job_id")) & (_JOBS.c.attempt == bindparam("its_attempt")) & (_JOBS.c.status == RUNNING)
)
# Made once: making a statement takes longer than running it.
_TAKE = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("job_id"), _JOBS.c.status == QUEUED, _JOBS.c.cancel_requested_at.is_(None))
    .values(
        status=RUNNING,
        held=False,
        attempt=_JOBS.c.attempt + 1,
        worker=bindparam("its_worker"),
        lease_until=_LEASE_END,
        started_at=func.coalesce(_JOBS.c.started_at, database_now()),
        percent=0.0,
        phase=None,
        message=None,
        current=None,
        total=None,
    )
    .returning(*(_JOBS.c[name] for name in ("attempt", "kind", "payload", "parent_id", "organization_id", "origin")))
)
_CLAIM = _TAKE.where(_JOBS.c.scheduled_for <= database_now(), has_place)
_BEAT = (
    update(_JOBS)
    .where(_IS_MINE, _JOBS.c.lease_until.is_not(None))
    .values(lease_until=_LEASE_END)
    .returning(_JOBS.c.cancel_requested_at)
)
_LOOK = select(_JOBS.c.cancel_requested_at).where(_IS_MINE)
_HOLD = (
    select(Job)
    .where(Job.id.in_(bindparam("family", expanding=True)))
    .order_by(Job.id)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def claim(session: Session, job_id: UUID, worker: str, lease_seconds: float) -> Claim | None:
    """Take a queued job by compare-and-swap; None when another has it, it ended, it is not due, or its organization
    has no place for it: then it waits in line."""
    lock_line(session, job_id)
    claimed = _swap(session, _CLAIM, job_id, worker, lease_seconds)
    if claimed is None:
        hold_back(session, job_id)
    return claimed


def take(session: Session, job_id: UUID, worker: str, lease_seconds: float) -> Claim | None:
    """Do the same for a job that waits for somebody to take it: it need not be due, and takes nobody's place."""
    return _swap(session, _TAKE, job_id, worker, lease_seconds)


def _swap(session: Session, statement: Any, job_id: UUID, worker: str, lease_seconds: float) -> Claim | None:
    given = {"job_id": job_id, "its_worker": worker, "lease_seconds": lease_seconds}
    row = session.execute(statement, given).one_or_none()
    if row is None:
        return None
    publish(session, topic_of(job_id), "job.running", fresh_event(job_id, row.kind, RUNNING, row.attempt))
    return Claim(job_id, row.attempt, row.kind, row.payload, row.parent_id, row.organization_id, row.origin)


def beat(session: Session, claimed: Claim, lease_seconds: float) -> Beat:
    """Extend the lease; `held` is false when the job is no longer this attempt's."""
    return _learn(session.execute(_BEAT, {**_name(claimed), "lease_seconds": lease_seconds}))


def look(session: Session, claimed: Claim) -> Beat:
    """Read, without writing, whether the job is still this attempt's and whether it is to be cancelled."""
    return _learn(session.execute(_LOOK, _name(claimed)))


def _name(claimed: Claim) -> dict[str, Any]:
    return {"job_id": claimed.job_id, "its_attempt": claimed.attempt}


def _learn(found: Result[Any]) -> Beat:
    row = found.one_or_none()
    return Beat(row is not None, row is not None and row.cancel_requested_at is not None)


def hold(session: Session, claimed: Claim) -> Job:
    """Lock the job's row for this transaction and return it; raises LeaseLost when it is not this attempt's."""
    return hold_attempt(session, claimed.job_id, claimed.attempt, claimed.parent_id)


def hold_attempt(session: Session, job_id: UUID, attempt: int, parent_id: UUID | None) -> Job:
    """Do the same for an attempt that is known by its parts.

    A parent's row is locked before its child's, here as everywhere, so that no two transactions wait in a circle.
    """
    family = [job_id, *([parent_id] if parent_id else [])]
    rows = session.execute(_HOLD, {"family": family}).scalars()
    job = next((row for row in rows if row.id == job_id), None)
    if job is None or job.attempt != attempt or job.status != RUNNING or job.lease_until is None:
        raise LeaseLost
    return job


def advance(
    session: Session,
    job: Job,
    *,
    percent: float | None = None,
    phase: str | None = None,
    message: str | None = None,
    current: int | None = None,
    total: int | None = None,
) -> None:
    """Record progress of a job whose row is locked; a percent lower than the last is not taken."""
    if percent is not None:
        job.percent = max(job.percent, min(float(percent), 100.0))
    job.phase = phase if phase is not None else job.phase
    job.message = message if message is not None else job.message
    job.current = current if current is not None else job.current
    job.total = total if total is not None else job.total
    session.flush()
    publish(session, job.topic, "job.progress", job.as_event())


def park(session: Session, job: Job) -> None:
    """Let a running job wait for its children without a worker; whoever ends the last of them ends it."""
    job.lease_until = None
    job.worker = None
    send_next(session, job)


def give_back(session: Session, job: Job, *, delay: float = 0.0, counted: bool = True, reason: str) -> None:
    """Queue a running job again, `delay` seconds from now; an attempt that is not counted may be made once more."""
    moment = session.execute(select(database_now() + sql_seconds(delay))).scalar_one()
    if not counted:
        job.max_attempts += 1
    job.status = QUEUED
    job.lease_until = None
    job.worker = None
    job.message = reason
    job.scheduled_for = moment
    job.sent_at = None if delay > 0 else moment
    session.flush()
    publish(session, job.topic, "job.queued", job.as_event())
    if delay > 0:
        send_next(session, job)
    else:
        note(session, "jobs", Hint(job.id, job.kind, job.queue, job.priority, job.attempt + 1))


def fail_or_retry(session: Session, job: Job, error: dict[str, Any], *, delay: float) -> None:
    """Queue a failed attempt again while attempts are left, else fail the job; a cancel that was asked for wins."""
    if job.cancel_requested:
        end(session, job, CANCELLED)
    elif job.attempt >= job.max_attempts:
        end(session, job, FAILED, error=error)
    else:
        give_back(session, job, delay=delay, reason=error["message"])
