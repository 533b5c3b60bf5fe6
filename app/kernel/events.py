"""Events: what happened, in the past tense, in one log. `announce` writes in the transaction of what happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Index, Select, delete, func, select, text, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.clock import sql_days
from app.kernel.db import Base, note
from app.kernel.ids import new_id

EVENTS: dict[str, type[Announcement]] = {}
"""Every type of event that some room announces."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """The base of every event. Its fields are ids and plain values; `organization_id` or `client_id` says whose it
    is."""

    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        # A dataclass with slots is made twice under one name; the second is the one to keep.
        if "type" in vars(cls):
            EVENTS[cls.type] = cls

    def topics(self) -> Iterable[str]:
        """Return the stream topics whose listeners should see this."""
        return ()

    def subject(self) -> str:
        """Return what this is about, as `workspace:{id}`: events about one subject keep their order. What happens in a
        chat room is about the room."""
        area = self.type.partition(".")[0]
        ids = ((name, getattr(self, f"{name}_id", None)) for name in ("room", area, "organization", "client"))
        return next((f"{name}:{value}" for name, value in ids if value), area)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, UUID) else value


@dataclass(frozen=True, slots=True)
class Event(Announcement):
    """What happened in an organization."""

    organization_id: UUID


@dataclass(frozen=True, slots=True)
class ClientEvent(Announcement):
    """What happened to a client application, or in it; that lies in no organization."""

    client_id: UUID


class EventRecord(Base):
    """A stored event; `dispatched_at` is empty until the dispatcher has turned it into what follows from it."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_undispatched", "created_at", postgresql_where=text("dispatched_at IS NULL")),
        Index("ix_events_organization_id_created_at", "organization_id", "created_at"),
        Index(
            "ix_events_client_id_created_at",
            "client_id",
            "created_at",
            postgresql_where=text("client_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    organization_id: Mapped[UUID | None]
    client_id: Mapped[UUID | None]
    subject: Mapped[str] = mapped_column(server_default="", default="")
    topics: Mapped[list[Any]]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dispatched_at: Mapped[datetime | None]


def announce(session: Session, event: Announcement) -> None:
    """Write `event` to the log, with the change it tells of."""
    record = EventRecord(
        id=new_id(),
        type=event.type,
        organization_id=getattr(event, "organization_id", None),
        client_id=getattr(event, "client_id", None),
        subject=event.subject(),
        topics=list(event.topics()),
        data=event.to_json(),
    )
    session.add(record)
    note(session, "events", record.id)


def forget_old_records(session: Session, days: int, limit: int = 5000) -> int:
    """Delete some of the dispatched events older than `days`; returns how many."""
    old = select(EventRecord.id).where(EventRecord.dispatched_at < func.clock_timestamp() - sql_days(days)).limit(limit)
    return int(session.execute(delete(EventRecord).where(EventRecord.id.in_(old))).rowcount)  # type: ignore[attr-defined]


def may_dispatch(session: Session) -> bool:
    """Tell whether this transaction may dispatch: one at a time, or two dispatchers would change the order of
    events."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtext("events.dispatch")))))


is_undispatched = select(EventRecord.id).where(EventRecord.dispatched_at.is_(None)).limit(1)
"""Selects something if there is anything to dispatch."""


def undispatched(limit: int = 200) -> Select[EventRecord]:
    """Select and lock the oldest events nobody has dispatched; rows another dispatcher holds are passed over."""
    return (
        select(EventRecord)
        .where(EventRecord.dispatched_at.is_(None))
        .order_by(EventRecord.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def dispatched_since(
    organization_id: UUID | None, client_id: UUID | None, since: datetime, after: UUID | None, limit: int
) -> Select[EventRecord]:
    """Select the dispatched events of an owner since a time, oldest first, a page at a time: those that were announced
    after the one with the id `after`."""
    whose = EventRecord.client_id == client_id if client_id else EventRecord.organization_id == organization_id
    rows = select(EventRecord).where(whose, EventRecord.created_at >= since, EventRecord.dispatched_at.is_not(None))
    rows = rows.order_by(EventRecord.created_at, EventRecord.id).limit(limit)
    if after is None:
        return rows
    last = select(EventRecord.created_at).where(EventRecord.id == after).scalar_subquery()
    return rows.where(tuple_(EventRecord.created_at, EventRecord.id) > tuple_(last, after))
