"""The events of rooms, read again from their rows, for those who listen. Messages are told as they are now."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.kernel.stream import Delivered
from app.messaging.models import Message, RoomChange, RoomState
from app.messaging.order import MESSAGE, room_topic, shape


def room_events(session: Session, room_id: UUID, after: int, limit: int) -> list[Delivered]:
    """Return the events of a room after a number, oldest first."""
    # What is numbered up to here is there: the lock that gave the numbers was held until the commit. So two statements
    # see one order, though not one moment.
    last = _last_place(session, room_id)
    messages = session.scalars(
        select(Message)
        .where(Message.room_id == room_id, Message.first_place > after, Message.first_place <= last)
        .order_by(Message.first_place)
        .limit(limit)
    )
    changes = session.execute(
        select(RoomChange, Message)
        .outerjoin(Message, Message.id == RoomChange.message_id)
        .where(RoomChange.room_id == room_id, RoomChange.place > after, RoomChange.place <= last)
        .order_by(RoomChange.place)
        .limit(limit)
    )
    told = [*map(_of_message, messages), *(_of_change(change, message) for change, message in changes)]
    return sorted(told, key=lambda event: event.seq)[:limit]


def newest_events(session: Session, room_id: UUID, count: int) -> list[Delivered]:
    """Return the newest events of a room, oldest first: `count` numbers of them."""
    return room_events(session, room_id, max(0, _last_place(session, room_id) - count), count)


def last_places(session: Session, room_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the number of the newest event of each room."""
    rows = select(RoomState.room_id, RoomState.last_place).where(RoomState.room_id.in_(room_ids))
    return {row.room_id: row.last_place for row in session.execute(rows)}


def _last_place(session: Session, room_id: UUID) -> int:
    return session.scalar(select(RoomState.last_place).where(RoomState.room_id == room_id)) or 0


def _of_message(message: Message) -> Delivered:
    topic, moment = room_topic(message.room_id), format_time(message.created_at)
    return Delivered(topic, message.first_place, MESSAGE, moment, shape(message))


def _of_change(change: RoomChange, message: Message | None) -> Delivered:
    data = change.data if message is None else shape(message)
    return Delivered(room_topic(change.room_id), change.place, change.type, format_time(change.created_at), data)
