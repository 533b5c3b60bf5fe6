"""Events: what happened, in the past tense, in one log. `announce` writes in the transaction of what happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Select, delete, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.clock import sql_days
from app.kernel.db import Base, note
from app.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Event:
    """The base of every event. Its fields are ids and plain values; `organization_id` says whose it is."""

    type: ClassVar[str]

    organization_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the stream topics whose listeners should see this."""
        return ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {
            field.name: str(value) if isinstance(value, UUID) else value
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        }


class EventRecord(Base):
    """A stored event; `dispatched_at` is empty until the dispatcher has turned it into what follows from it."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_undispatched", "created_at", postgresql_where=text("dispatched_at IS NULL")),
        Index("ix_events_organization_id_created_at", "organization_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    organization_id: Mapped[UUID]
    topics: Mapped[list[Any]]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dispatched_at: Mapped[datetime | None]


def announce(session: Session, event: Event) -> None:
    """Write `event` to the log, with the change it tells of."""
    record = EventRecord(
        id=new_id(),
        type=event.type,
        organization_id=event.organization_id,
        topics=list(event.topics()),
        data=event.to_json(),
    )
    session.add(record)
    note(session, "events", record.id)


def forget_old_records(session: Session, days: int, limit: int = 5000) -> int:
    """Delete some of the dispatched events older than `days`; returns how many."""
    old = select(EventRecord.id).where(EventRecord.dispatched_at < func.clock_timestamp() - sql_days(days)).limit(limit)
    return int(session.execute(delete(EventRecord).where(EventRecord.id.in_(old))).rowcount)  # type: ignore[attr-defined]


def undispatched(limit: int = 200) -> Select[EventRecord]:
    """Select and lock the oldest events nobody has dispatched; rows another dispatcher holds are passed over."""
    return (
        select(EventRecord)
        .where(EventRecord.dispatched_at.is_(None))
        .order_by(EventRecord.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
