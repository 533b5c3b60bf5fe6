"""Moving many jobs at once: what a bulk job is asked to do, which jobs it takes, and the move of each.

A bulk job takes what its filter matched when it was accepted, in the order of the ids, with the rights its asker had
then and has not lost since. Each move is a transaction of its own, which also counts it and notes the place: whoever
goes on after an interruption does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.jobs import service
from app.jobs.claiming import Claim, look
from app.jobs.errors import LeaseLost
from app.jobs.intents import MoveJobs
from app.jobs.models import CANCELLED, FAILED, QUEUED, RUNNING, Job, JobBulk
from app.jobs.queries import READ, filter_jobs, visible_jobs
from app.kernel.clock import database_now
from app.kernel.intents import INTENTS, Intent
from app.kernel.principal import Principal

RETRY = "retry"
CANCEL = "cancel"
ACTIONS = (RETRY, CANCEL)

COUNT_CAP = 10_000
SAMPLES = 10
BATCH = 200

# Why a job was passed over.
STATE_CHANGED = "STATE_CHANGED"
PART_OF_ANOTHER_JOB = "PART_OF_ANOTHER_JOB"
ALREADY_CANCELLING = "ALREADY_CANCELLING"
GONE = "GONE"

ReadRights = Callable[[Session, UUID], Principal | None]
"""Tells what a user holds now; None of one who is gone or disabled."""

_READERS: Mapping[str, Any] = {
    "resource_id": UUID,
    "organization_id": UUID,
    "created_after": datetime.fromisoformat,
    "created_before": datetime.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a bulk job would take: how many, counted no further than the cap, and the first of them."""

    count: int
    count_capped: bool
    job_ids: list[UUID]


def permission_for(action: str) -> str:
    """Return what a caller must hold where a bulk job is to act."""
    return f"jobs:{action}"


def preview(session: Session, action: str, filters: Mapping[str, Any], caller: Principal) -> Preview:
    """Tell what would be taken now, and move nothing."""
    mover = _narrow(caller, action)
    matching = _matching(action, filters, mover, session.execute(select(database_now())).scalar_one())
    some = matching.with_only_columns(Job.id).limit(COUNT_CAP + 1).subquery()
    count = session.execute(select(func.count()).select_from(some)).scalar_one()
    ids = session.execute(matching.with_only_columns(Job.id).order_by(Job.id).limit(SAMPLES)).scalars()
    return Preview(min(count, COUNT_CAP), count > COUNT_CAP, list(ids))


def accept_bulk(session: Session, action: str, filters: Mapping[str, Any], caller: Principal, rate: int) -> Job:
    """Accept the job that moves what `filters` match now, of what the caller may move now, `rate` jobs a second.

    It belongs to the organization that the filter names, if the caller holds the permission there, else to the caller.
    """
    mover, permission, organization_id = _narrow(caller, action), permission_for(action), filters.get("organization_id")
    job_id = service.accept(
        session,
        MoveJobs(),
        organization_id=organization_id if mover.may(permission, organization_id) else None,
        created_by=caller.user_id,
    )
    bulk = JobBulk(
        job_id=job_id,
        action=action,
        filter={name: _plain(value) for name, value in filters.items()},
        everything=mover.is_admin,
        places=[str(place) for place in mover.grants],
        user_id=caller.user_id,
        rate=rate,
    )
    session.add(bulk)
    session.flush()
    return session.get_one(Job, job_id)


def _narrow(caller: Principal, action: str) -> Principal:
    """Return the caller with nothing but the move, in the places where they may also read what they move."""
    permission = permission_for(action)
    readable = set(caller.places_with(READ))
    places = [place for place in caller.places_with(permission) if place in readable]
    if caller.holds_account and caller.permits(permission):
        places.append(caller.user_id)
    everything = caller.may(permission) and caller.may(READ)
    return Principal(caller.user_id, caller.username, everything, dict.fromkeys(places, frozenset({permission})))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def begin_bulk(session: Session, job_id: UUID, read_rights: ReadRights) -> JobBulk:
    """Return what is to be done; the first attempt counts how much it is."""
    bulk = session.get_one(JobBulk, job_id, with_for_update=True)
    if bulk.matched is None:
        counted = select(func.count()).select_from(_candidates(bulk, read_rights(session, bulk.user_id)).subquery())
        bulk.matched = session.execute(counted).scalar_one()
    return bulk


def next_in_bulk(session: Session, bulk: JobBulk, after: UUID | None, read_rights: ReadRights) -> Sequence[UUID]:
    """Return the ids of the next jobs to take after an id; they are looked at again when their turn comes."""
    ids = _candidates(bulk, read_rights(session, bulk.user_id))
    if after is not None:
        ids = ids.where(Job.id > after)
    return session.execute(ids.order_by(Job.id).limit(BATCH)).scalars().all()


def _candidates(bulk: JobBulk, holder: Principal | None) -> Select[UUID]:
    filters = {name: _READERS.get(name, str)(value) for name, value in bulk.filter.items()}
    matching = _matching(bulk.action, filters, _asker(bulk, holder), bulk.accepted_at)
    return matching.with_only_columns(Job.id).where(Job.id != bulk.job_id)


def _asker(bulk: JobBulk, holder: Principal | None) -> Principal:
    """Return who asked, with what they might do then and, as `holder`, may do still: else somebody who has left an
    organization could move its jobs by a bulk job that they had kept."""
    if holder is None:
        return Principal(bulk.user_id, "")
    now, held = _narrow(holder, bulk.action), frozenset({permission_for(bulk.action)})
    places = [place for place in map(UUID, bulk.places) if now.is_admin or place in now.grants]
    return Principal(bulk.user_id, "", bulk.everything and now.is_admin, dict.fromkeys(places, held))


def _matching(action: str, filters: Mapping[str, Any], caller: Principal, moment: datetime) -> Select[Job]:
    """Select what can be moved and was so at `moment`: a job that has failed again since is another failure."""
    jobs = filter_jobs(visible_jobs(caller, permission_for(action)), filters).where(Job.created_at <= moment)
    if action == RETRY:
        return jobs.where(Job.status.in_((FAILED, CANCELLED)), Job.finished_at <= moment)
    return jobs.where(Job.status.in_((QUEUED, RUNNING)))


def move_in_bulk(session: Session, claimed: Claim, job_id: UUID) -> None:
    """Retry or cancel one job, count it and note the place. Raises LeaseLost when this attempt may write nothing, and
    Conflict when the job cannot be moved: then `pass_over` counts it, in another transaction."""
    bulk = _hold_place(session, claimed, job_id)
    if bulk is None:
        return
    job = session.get(Job, job_id, with_for_update=bulk.action == RETRY or None)
    reason = _why_not(bulk, job)
    if job is None or reason is not None:
        _count_skipped(bulk, reason or GONE)
        return
    if bulk.action == RETRY:
        service.retry(session, job, INTENTS.get(job.kind, Intent).max_attempts, bulk.user_id)
    else:
        service.cancel(session, job, bulk.user_id)
    bulk.done += 1


def pass_over(session: Session, claimed: Claim, job_id: UUID) -> None:
    """Count a job whose move was refused, and note the place."""
    bulk = _hold_place(session, claimed, job_id)
    if bulk is not None:
        _count_skipped(bulk, STATE_CHANGED)


def _hold_place(session: Session, claimed: Claim, job_id: UUID) -> JobBulk | None:
    """Lock the place and move it to `job_id`; None when another attempt has been there."""
    bulk = session.get_one(JobBulk, claimed.job_id, with_for_update=True)
    if not look(session, claimed).held:
        raise LeaseLost
    if bulk.position is not None and bulk.position >= job_id:
        return None
    bulk.position = job_id
    return bulk


def _why_not(bulk: JobBulk, job: Job | None) -> str | None:
    if job is None:
        return GONE
    if bulk.action == CANCEL:
        if job.is_final:
            return STATE_CHANGED
        return ALREADY_CANCELLING if job.cancel_requested else None
    if job.parent_id is not None:
        return PART_OF_ANOTHER_JOB
    same = job.status in (FAILED, CANCELLED) and job.finished_at is not None and job.finished_at <= bulk.accepted_at
    return None if same else STATE_CHANGED


def _count_skipped(bulk: JobBulk, reason: str) -> None:
    bulk.skipped = {**bulk.skipped, reason: bulk.skipped.get(reason, 0) + 1}


def result_of(bulk: JobBulk, *, ended: bool) -> dict[str, Any]:
    """Return what was done. At the end, what was counted and never came up had left its state before its turn."""
    matched = max(bulk.matched or 0, bulk.walked)
    skipped = dict(bulk.skipped)
    if ended and matched > bulk.walked:
        skipped[STATE_CHANGED] = skipped.get(STATE_CHANGED, 0) + matched - bulk.walked
    return {"matched": matched, "done": bulk.done, "skipped": skipped}
