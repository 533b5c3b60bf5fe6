"""Repair: what the relay does so that neither a lost message nor a lost worker loses a job."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.jobs.claiming import fail_or_retry
from app.jobs.errors import WorkerLost
from app.jobs.models import FINAL, QUEUED, RUNNING, Job
from app.jobs.origin import carrying_on
from app.jobs.service import Hint
from app.jobs.totals import count, count_many
from app.kernel.clock import database_now, sql_days, sql_seconds
from app.kernel.stream import StreamEvent, StreamTopic

log = logging.getLogger(__name__)

REQUEUE_DELAY = 1.0


def take_unsent(session: Session, stale_seconds: float, crowded: Sequence[str] = (), limit: int = 500) -> list[Hint]:
    """Mark due jobs as sent and return their hints: those never sent, and those sent `stale_seconds` ago that nobody
    claimed. The latter are left alone in `crowded` queues, whose messages plainly still wait in the broker."""
    stale = (Job.sent_at < database_now() - sql_seconds(stale_seconds)) & (Job.queue.not_in(crowded))
    due = (
        select(Job.id)
        .where(Job.status == QUEUED, ~Job.held, Job.scheduled_for <= database_now(), or_(Job.sent_at.is_(None), stale))
        .order_by(Job.scheduled_for)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(Job)
        .where(Job.id.in_(due.scalar_subquery()))
        .values(sent_at=database_now())
        .returning(Job.id, Job.kind, Job.queue, Job.priority, Job.attempt)
    )
    hints = [Hint(row.id, row.kind, row.queue, row.priority, row.attempt + 1) for row in rows]
    for (queue, kind), amount in sorted(Counter((hint.queue, hint.kind) for hint in hints).items()):
        count_many(session, "relayed", queue, kind, amount)
    return hints


def mark_unsent(session: Session, job_ids: Sequence[UUID]) -> None:
    """Note that the broker did not take these, so that the relay sends them at its next look."""
    session.execute(update(Job).where(Job.id.in_(job_ids), Job.status == QUEUED).values(sent_at=None))


def count_waiting(session: Session) -> Mapping[str, int]:
    """Count the due jobs of each queue that have been sent."""
    rows = session.execute(
        select(Job.queue, func.count().label("waiting"))
        .where(Job.status == QUEUED, ~Job.held, Job.scheduled_for <= database_now())
        .group_by(Job.queue)
    )
    return {row.queue: row.waiting for row in rows}


def expired(limit: int = 100) -> Select[UUID]:
    """Select running jobs whose worker has not been heard of for a whole lease."""
    return (
        select(Job.id)
        .where(Job.status == RUNNING, Job.lease_until < database_now())
        .order_by(Job.lease_until)
        .limit(limit)
    )


def reap(session: Session, job_id: UUID) -> bool:
    """Take one job from a worker that was lost: queue it again, or fail it after its last attempt."""
    parent = session.execute(select(Job.parent_id).where(Job.id == job_id)).scalar()
    family = [job_id, *([parent] if parent else [])]
    rows = session.execute(select(Job).where(Job.id.in_(family)).order_by(Job.id).with_for_update()).scalars().all()
    job = next((row for row in rows if row.id == job_id), None)
    still = select(Job.id).where(Job.id == job_id, Job.status == RUNNING, Job.lease_until < database_now())
    if job is None or session.execute(still).scalar() is None:
        return False
    lost = WorkerLost(f"The worker running this ({job.worker}) has not been heard of; attempt {job.attempt} is lost.")
    with carrying_on(job.origin, job.id, job.attempt):
        log.warning("took a job from a lost worker", extra={"kind": job.kind, "worker": job.worker})
        fail_or_retry(session, job, {"code": lost.code, "message": lost.message, "details": {}}, delay=REQUEUE_DELAY)
    count(session, "lost", job)
    return True


def prune(session: Session, days: int, limit: int = 1000) -> int:
    """Delete jobs that ended more than `days` ago, with their streams; returns how many."""
    old = select(Job.id).where(Job.status.in_(FINAL), Job.finished_at < database_now() - sql_days(days)).limit(limit)
    gone = session.execute(delete(Job).where(Job.id.in_(old.scalar_subquery())).returning(Job.id)).scalars().all()
    topics = [f"job:{job_id}" for job_id in gone]
    session.execute(delete(StreamEvent).where(StreamEvent.topic.in_(topics)))
    session.execute(delete(StreamTopic).where(StreamTopic.topic.in_(topics)))
    return len(gone)
