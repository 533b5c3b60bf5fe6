"""Places: how many jobs of one organization may be with the workers of a queue at once. The others are *held*: they
wait in the database, in line, so that ten thousand jobs of one do not stand before the single job of another.

A job takes a place when it is sent and frees it when it ends, is parked or waits for its next attempt; who frees one
lets the next in. The count at acceptance takes no lock and may let a few too many be sent; the claim counts under one.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.jobs.models import LINE, QUEUED, Job, JobLimit
from app.kernel.clock import database_now
from app.kernel.db import table_of

# Whose limit it is when an organization has none of its own.
EVERYONE = UUID(int=0)
UNLIMITED = 2**31 - 1
COUNTED = 10_000
# The queue of what is done on an organization's own machines: it takes no places of the platform's workers.
RUNNERS = "runners"

_JOBS = table_of(Job)
_OTHERS = _JOBS.alias("others")
_ORGANIZATION: ColumnElement[Any] = cast(bindparam("its_organization"), PG_UUID(as_uuid=True))
_QUEUE: ColumnElement[Any] = bindparam("its_queue")


def set_places(session: Session, places: int, organization_id: UUID = EVERYONE) -> None:
    """Give an organization, or all that have no limit of their own, so many places in each queue; 0 sets no limit."""
    given = insert(JobLimit).values(organization_id=organization_id, places=places)
    session.execute(
        given.on_conflict_do_update(index_elements=[JobLimit.organization_id], set_={"places": given.excluded.places})
    )


def forget_places(session: Session) -> None:
    """Forget all limits; the caller sets them anew in the same transaction."""
    session.execute(delete(JobLimit))


def _places_of(organization: ColumnElement[Any]) -> ColumnElement[Any]:
    def of(whose: ColumnElement[Any]) -> ScalarSelect[Any]:
        return select(JobLimit.places).where(JobLimit.organization_id == whose).scalar_subquery()

    return func.coalesce(func.nullif(func.coalesce(of(organization), of(bindparam(None, EVERYONE))), 0), UNLIMITED)


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(_OTHERS).where(*conditions).scalar_subquery()


def _taken(organization: ColumnElement[Any], queue: ColumnElement[Any]) -> ScalarSelect[int]:
    """Count the places that are taken: by jobs with workers, and by jobs sent to them."""
    sent = and_(_OTHERS.c.status == text("'queued'"), ~_OTHERS.c.held, _OTHERS.c.scheduled_for <= database_now())
    running = and_(_OTHERS.c.status == text("'running'"), _OTHERS.c.lease_until.is_not(None))
    return _count(_OTHERS.c.organization_id == organization, _OTHERS.c.queue == queue, or_(sent, running))


# Of the organization and queue that a statement is given as `its_organization` and `its_queue`.
is_crowded: ColumnElement[bool] = _taken(_ORGANIZATION, _QUEUE) >= _places_of(_ORGANIZATION)

# Of the row that a statement updates.
is_crowded_for_it: ColumnElement[bool] = _taken(_JOBS.c.organization_id, _JOBS.c.queue) >= _places_of(
    _JOBS.c.organization_id
)
_RUNNING = _count(
    _OTHERS.c.organization_id == _JOBS.c.organization_id,
    _OTHERS.c.queue == _JOBS.c.queue,
    _OTHERS.c.status == text("'running'"),
    _OTHERS.c.lease_until.is_not(None),
)
has_place: ColumnElement[bool] = or_(
    _JOBS.c.organization_id.is_(None),
    _JOBS.c.queue == RUNNERS,
    _places_of(_JOBS.c.organization_id) > _RUNNING,
)

_LOCK_LINE = select(
    func.pg_advisory_xact_lock(func.hashtextextended(func.concat(_JOBS.c.organization_id, _JOBS.c.queue), 0))
).where(_JOBS.c.id == bindparam("job_id"), _JOBS.c.organization_id.is_not(None), _JOBS.c.status == QUEUED)
_HOLD_BACK = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("job_id"), _JOBS.c.status == QUEUED, _JOBS.c.scheduled_for <= database_now())
    .where(~has_place)
    .values(held=True)
)
_NEXT = (
    select(_JOBS.c.id)
    .where(_JOBS.c.status == text("'queued'"), _JOBS.c.held)
    .where(_JOBS.c.organization_id == _ORGANIZATION, _JOBS.c.queue == _QUEUE)
    .order_by(*(_JOBS.c[name] for name in LINE))
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LET_IN = (
    update(_JOBS)
    .where(_JOBS.c.id.in_(_NEXT.scalar_subquery()))
    .values(held=False, sent_at=database_now())
    .returning(*(_JOBS.c[name] for name in ("id", "kind", "queue", "priority", "attempt")))
)
_LET_ONE_IN = _LET_IN.where(~is_crowded)
_HELD_LINES = (
    select(_JOBS.c.organization_id, _JOBS.c.queue)
    .where(_JOBS.c.status == text("'queued'"), _JOBS.c.held)
    .group_by(_JOBS.c.organization_id, _JOBS.c.queue)
)
_ROOM = select(_places_of(_ORGANIZATION) - _taken(_ORGANIZATION, _QUEUE))


def lock_line(session: Session, job_id: UUID) -> None:
    """Let no other claim count the places of this queued job's organization until the transaction ends."""
    session.execute(_LOCK_LINE, {"job_id": job_id})


def hold_back(session: Session, job_id: UUID) -> None:
    """Let a due job wait in line if its organization has no place for it."""
    session.execute(_HOLD_BACK, {"job_id": job_id})


def let_next_in(session: Session, job: Job) -> Any:
    """Let the next held job take the place that `job` has freed; return its row, or None."""
    if job.organization_id is None:
        return None
    session.flush()
    given = {"its_organization": job.organization_id, "its_queue": job.queue, "most": 1}
    return session.execute(_LET_ONE_IN, given).one_or_none()


def let_in_all(session: Session) -> int:
    """Let held jobs in wherever there are places, and return how many: what a lost wake-up or a new limit left."""
    let_in = 0
    for organization_id, queue in session.execute(_HELD_LINES).all():
        line = {"its_organization": organization_id, "its_queue": queue}
        room = session.execute(_ROOM, line).scalar_one()
        if room > 0:
            # Unsent, so that the relay sends them by its next statement.
            letting = _LET_IN.values(sent_at=None)
            let_in += len(session.execute(letting, line | {"most": min(room, COUNTED)}).all())
    return let_in


def position_of(session: Session, job: Job) -> int | None:
    """Return a due job's place in its queue, from 1, counted up to ten thousand; None when it does not wait.

    Before a held job are all that were sent, and the held ones of its own organization that are ahead of it.
    """
    if job.status != QUEUED:
        return None
    if job.queue == RUNNERS:
        return 1 + _count_up_to(session, _ahead_for_runners(job))
    mine = tuple_(*(bindparam(None, getattr(job, name), type_=_JOBS.c[name].type) for name in LINE[1:]))
    ahead = tuple_(*(_JOBS.c[name] for name in LINE[1:])) < mine
    waiting = select(_JOBS.c.id).where(_JOBS.c.status == text("'queued'"), _JOBS.c.queue == job.queue)
    sent = waiting.where(~_JOBS.c.held, _JOBS.c.scheduled_for <= database_now())
    if not job.held:
        return 1 + _count_up_to(session, sent.where(ahead))
    line = waiting.where(_JOBS.c.held, _JOBS.c.organization_id == job.organization_id, ahead)
    return 1 + _count_up_to(session, sent) + _count_up_to(session, line)


def _ahead_for_runners(job: Job) -> Select[Any]:
    """Select what the organization's runners are to take before a job; when it is due means nothing to them."""
    ahead = tuple_(_JOBS.c.priority, _JOBS.c.id) < tuple_(
        bindparam(None, job.priority, type_=_JOBS.c.priority.type), bindparam(None, job.id, type_=_JOBS.c.id.type)
    )
    waiting = select(_JOBS.c.id).where(_JOBS.c.status == text("'queued'"), _JOBS.c.queue == RUNNERS)
    return waiting.where(_JOBS.c.organization_id == job.organization_id, ahead)


def _count_up_to(session: Session, rows: Select[Any]) -> int:
    return session.execute(select(func.count()).select_from(rows.limit(COUNTED).subquery())).scalar_one()
