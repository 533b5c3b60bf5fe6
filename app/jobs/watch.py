"""Since when the database has been watched without a gap: before a whole lease, nobody who is silent is lost.

After an outage of the database every lease has run out, though the workers live and are about to beat again. The watch
is kept in the database, so that it goes on when one relay follows another.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, case, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Base

BEATS_OF_A_LEASE = 3
"""A gap of the time between two beats costs a worker one of them, and not its lease."""


class JobWatch(Base):
    """The watch of all relays together, in one row: begun at `since`, last kept at `seen`."""

    __tablename__ = "job_watch"
    __table_args__ = (CheckConstraint("is_only", name="is_only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    since: Mapped[datetime]
    seen: Mapped[datetime]


def keep_watch(session: Session, lease_seconds: float) -> bool:
    """Note that the database is here, and return whether it has been for a whole lease of so many seconds.

    The watch begins anew after a gap, and when the database's clock was set back.
    """
    now, gap = database_now(), sql_seconds(lease_seconds / BEATS_OF_A_LEASE)
    begin = insert(JobWatch).values(since=now, seen=now)
    is_unbroken = JobWatch.seen.between(now - gap, now)
    keep = begin.on_conflict_do_update(
        index_elements=[JobWatch.is_only], set_={"since": case((is_unbroken, JobWatch.since), else_=now), "seen": now}
    )
    watched = keep.returning(JobWatch.since <= database_now() - sql_seconds(lease_seconds))
    return bool(session.execute(watched).scalar_one())
