"""The history of jobs: who is behind a change, what changed, and for how long it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from app.jobs.models import JobChange
from app.kernel.partitions import Partition, make_partitions, old_partitions

MOST_CHANGES = 1000


def act_as(session: Session, user_id: UUID | None) -> None:
    """Name the user who is behind the changes of jobs that follow in this transaction."""
    if user_id is not None:
        session.execute(select(func.set_config("headrace.actor", str(user_id), True)))


def acting_user(session: Session) -> UUID | None:
    """Return the user who was named so in this transaction."""
    named = session.execute(select(func.current_setting("headrace.actor", True))).scalar()
    return UUID(named) if named else None


def changes_of(job_id: UUID) -> Select[JobChange]:
    """Select the changes of a job's status, oldest first; of a job with very many, the first thousand."""
    return select(JobChange).where(JobChange.job_id == job_id).order_by(JobChange.at).limit(MOST_CHANGES)


def make_history_partitions(session: Session) -> None:
    """See that the history has room for this week and the next four."""
    make_partitions(session, JobChange.__tablename__, "at")


def old_history(session: Session, days: int) -> list[Partition]:
    """Return the weeks of the history that are older than so many days."""
    return old_partitions(session, JobChange.__tablename__, days)


def history_lines(session: Session, partition: Partition) -> Iterator[bytes]:
    """Read a week of the history, one JSON object a line, in the order of time."""
    rows = text(f"SELECT row_to_json(week)::text FROM {partition.name} AS week ORDER BY at")  # noqa: S608 - our name
    for line in session.execute(rows, execution_options={"yield_per": 1000}).scalars():
        yield line.encode() + b"\n"
