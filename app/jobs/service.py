"""What clients ask of jobs: accept, cancel, retry. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.jobs.errors import JobEnded, JobNotRetryable
from app.jobs.failures import identify
from app.jobs.history import act_as
from app.jobs.models import CANCELLED, FAILED, FINAL, QUEUED, RUNNING, Job, fresh_event, topic_of
from app.jobs.origin import current_origin
from app.jobs.places import is_crowded, is_crowded_for_it, let_next_in
from app.jobs.subjects import tell_ended, tell_retried
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import note, table_of
from app.kernel.ids import new_id
from app.kernel.intents import Intent
from app.kernel.stream import publish

_JOBS = table_of(Job)
_INSERT = insert(_JOBS).on_conflict_do_nothing(index_elements=["key"]).returning(_JOBS.c.held)
_ACCEPT = _INSERT.values(held=is_crowded)
_ACCEPT_LATER = _INSERT.values(scheduled_for=database_now() + sql_seconds(bindparam("delay")), sent_at=None)


@dataclass(frozen=True, slots=True)
class Hint:
    """The message that wakes a worker: a pointer to the row, harmless when doubled, replaceable when lost."""

    job_id: UUID
    kind: str
    queue: str
    priority: int
    attempt: int


def accept(
    session: Session,
    intent: Intent,
    *,
    organization_id: UUID | None = None,
    workspace_id: UUID | None = None,
    cluster_id: UUID | None = None,
    created_by: UUID | None = None,
    resource: tuple[str, UUID] | None = None,
    parent_id: UUID | None = None,
    delay: float = 0.0,
    key: str | None = None,
    priority: int | None = None,
) -> UUID:
    """Write the job of an intent in the caller's transaction and return its id; it is sent after the commit, or held
    until its organization has a place for it (app/jobs/places.py).

    `delay` is in seconds. With a `key` that a job has already, nothing is written and that job's id is returned.
    `priority`, 0 to 9 with 0 the first, is the intent's unless given.
    """
    job_id = new_id()
    priority = intent.priority if priority is None else priority
    resource_type, resource_id = resource or (None, None)
    values = {
        "id": job_id,
        "kind": intent.kind,
        "queue": intent.queue,
        "priority": priority,
        "payload": intent.to_json(),
        "key": key,
        "parent_id": parent_id,
        "max_attempts": intent.max_attempts,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "organization_id": organization_id,
        "workspace_id": workspace_id,
        "cluster_id": cluster_id,
        "created_by": created_by,
    }
    if origin := current_origin():
        values["origin"] = origin
    if delay > 0:
        held = session.execute(_ACCEPT_LATER, values | {"delay": delay}).scalar()
    else:
        line = {"its_organization": organization_id, "its_queue": intent.queue}
        held = session.execute(_ACCEPT, values | line).scalar()
    if held is None:
        return session.execute(select(Job.id).where(Job.key == key)).scalar_one()
    publish(session, topic_of(job_id), "job.queued", fresh_event(job_id, intent.kind, QUEUED, 0))
    if delay <= 0 and not held:
        note(session, "jobs", Hint(job_id, intent.kind, intent.queue, priority, 1))
    return job_id


def end(
    session: Session,
    job: Job,
    status: str,
    *,
    result: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """Move a job, whose row the caller has locked, to a final state, and write what follows from it."""
    if job.is_final:
        raise JobEnded(status=job.status)
    job.status = status
    job.result = result
    job.error = identify(job.kind, error) if error is not None and status == FAILED else error
    job.fingerprint = (job.error or {}).get("fingerprint")
    job.phase = job.message = job.lease_until = None
    job.finished_at = database_now()
    if status == "succeeded":
        job.percent = 100.0
    session.flush()
    publish(session, job.topic, f"job.{status}", job.as_event())
    tell_ended(session, job)
    send_next(session, job)


def send_next(session: Session, job: Job) -> None:
    """Send the next held job of the organization, where `job` has freed a place."""
    let_in = let_next_in(session, job)
    if let_in is not None:
        note(session, "jobs", Hint(let_in.id, let_in.kind, let_in.queue, let_in.priority, let_in.attempt + 1))


def cancel(session: Session, job: Job, by: UUID | None = None) -> None:
    """Ask that a job, and all that runs for it, be cancelled; what is queued ends at once, what runs within seconds.

    `by` is the user who asks.
    """
    family = _lock_family(session, job)
    act_as(session, by)
    if job.is_final:
        raise JobEnded(f"The job has ended: it is {job.status}.", status=job.status)
    moment = session.execute(select(database_now())).scalar_one()
    for member in family:
        if not member.cancel_requested:
            member.cancel_requested_at = moment
            publish(session, member.topic, "job.cancelling", member.as_event())
    session.flush()
    for member in family:
        if _ends_at_once(member, alone=len(family) == 1):
            end(session, member, CANCELLED)
    # The caller shows it, and the database alone knows when it ended.
    session.refresh(job)


def _ends_at_once(job: Job, *, alone: bool) -> bool:
    parked = job.status == RUNNING and job.lease_until is None
    return job.status == QUEUED or (parked and alone)


def _lock_family(session: Session, job: Job) -> list[Job]:
    """Lock a job with its parent and its unended children; return the children, then the job itself.

    In two statements: a child is accepted under its parent's lock, and a statement that waits for that lock sees no
    row that was written meanwhile.
    """
    locking = select(Job).order_by(Job.id).with_for_update().execution_options(populate_existing=True)
    session.execute(locking.where(Job.id.in_([job.id, job.parent_id]))).all()
    children = session.execute(locking.where(Job.parent_id == job.id, Job.status.not_in(FINAL))).scalars()
    return [*children, job]


def lock(session: Session, job_id: UUID) -> Job | None:
    """Lock a job that is no part of another for this transaction, and read it as it is then; None when it is gone."""
    return session.get(Job, job_id, populate_existing=True, with_for_update=True)


def retry(session: Session, job: Job, allowance: int, by: UUID | None = None) -> None:
    """Queue a failed or cancelled job again; `allowance` is how many more attempts it gets, `by` the user who asks."""
    tell_retried(session, queue_again(session, job, allowance, by, ended=(FAILED, CANCELLED)))


def queue_again(
    session: Session, job: Job, allowance: int, by: UUID | None = None, *, ended: Sequence[str] = FINAL
) -> Job:
    """Queue a job that has ended as one of `ended` again, for a room that writes itself what follows from that."""
    act_as(session, by)
    moved = session.execute(
        update(Job)
        .where(Job.id == job.id, Job.status.in_(ended), Job.parent_id.is_(None))
        .values(
            status=QUEUED,
            max_attempts=Job.attempt + literal(allowance),
            percent=0.0,
            error=None,
            fingerprint=None,
            result=None,
            finished_at=None,
            cancel_requested_at=None,
            scheduled_for=database_now(),
            sent_at=database_now(),
            held=is_crowded_for_it,
        )
        .returning(Job)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if moved is None:
        raise JobNotRetryable(_why_not(job), status=job.status)
    publish(session, moved.topic, "job.queued", moved.as_event())
    if not moved.held:
        note(session, "jobs", Hint(moved.id, moved.kind, moved.queue, moved.priority, moved.attempt + 1))
    return moved


def _why_not(job: Job) -> str | None:
    if job.parent_id is not None:
        return f"This job is a part of job {job.parent_id}; retry that one."
    return None
