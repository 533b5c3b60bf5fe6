"""The summary of failures: which kinds of them there were lately, the most frequent first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, true
from sqlalchemy.orm import Session

from app.jobs.failures import place_of
from app.jobs.models import FAILED, Job
from app.kernel.clock import database_now

WINDOW = timedelta(days=7)
SAMPLES = 3


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures that are the same one; message and ids are those of the newest."""

    fingerprint: str
    code: str
    kind: str
    where: str | None
    message: str
    count: int
    first_seen: datetime
    last_seen: datetime
    job_ids: list[UUID]


def summarize_failures(session: Session, jobs: Select[Job], since: datetime | None, limit: int) -> list[FailureGroup]:
    """Group the failures among `jobs` since a moment, by default of the last seven days.

    Counted in an index alone; only the newest few of each group are read.
    """
    begin = since or session.execute(select(database_now() - WINDOW)).scalar_one()
    failed = jobs.where(Job.status == FAILED, Job.fingerprint.is_not(None), Job.finished_at >= begin)
    rows = session.execute(_with_samples(failed, _groups(failed, limit)))
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.fingerprint, []).append(row)
    return [_group(members) for members in found.values()]


def _groups(failed: Select[Job], limit: int) -> Any:
    count = func.count().label("count")
    grouped = failed.with_only_columns(
        Job.fingerprint,
        count,
        func.min(Job.finished_at).label("first_seen"),
        func.max(Job.finished_at).label("last_seen"),
    )
    return grouped.group_by(Job.fingerprint).order_by(count.desc(), Job.fingerprint).limit(limit).subquery()


def _with_samples(failed: Select[Job], groups: Any) -> Select[Any]:
    newest = (
        failed.with_only_columns(Job.id, Job.kind, Job.error, Job.finished_at)
        .where(Job.fingerprint == groups.c.fingerprint)
        .order_by(Job.finished_at.desc(), Job.id.desc())
        .limit(SAMPLES)
        .lateral()
    )
    order = (groups.c.count.desc(), groups.c.fingerprint, newest.c.finished_at.desc(), newest.c.id.desc())
    return select(groups, newest.c.id, newest.c.kind, newest.c.error).join(newest, true()).order_by(*order)


def _group(members: Sequence[Any]) -> FailureGroup:
    newest = members[0]
    return FailureGroup(
        fingerprint=newest.fingerprint,
        code=newest.error["code"],
        kind=newest.kind,
        where=place_of(newest.error),
        message=newest.error["message"],
        count=newest.count,
        first_seen=newest.first_seen,
        last_seen=newest.last_seen,
        job_ids=[member.id for member in members],
    )
