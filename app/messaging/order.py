"""The order of a room. Each event of it, a new message among them, has the next number in the transaction that writes
it, under the lock of the room's state: so numbers have no gaps, and whoever sees one sees all before it.

The rows are the truth. A copy of each event goes to whoever listens now; one that is long goes as a hint to read. For
the rest of the platform it is announced.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.kernel.db import note
from app.kernel.stream import Delivered
from app.messaging.announcing import (
    announce_changed,
    announce_deleted,
    announce_joined,
    announce_left,
    announce_said,
)
from app.messaging.events import MessageCreated, MessageRestored, MessageUpdated
from app.messaging.models import Message, RoomChange, RoomState

MESSAGE: Final = "message"
MESSAGE_UPDATED: Final = "message_updated"
MESSAGE_DELETED: Final = "message_deleted"
MESSAGE_RESTORED: Final = "message_restored"
USER_JOINED: Final = "user_joined"
USER_LEFT: Final = "user_left"
ROOM_UPDATED: Final = "room_updated"
EVENT_TYPES: Final = (
    *(MESSAGE, MESSAGE_UPDATED, MESSAGE_DELETED, MESSAGE_RESTORED),
    *(USER_JOINED, USER_LEFT, ROOM_UPDATED),
)

_ANNOUNCE: Final = {USER_JOINED: announce_joined, USER_LEFT: announce_left, ROOM_UPDATED: announce_changed}

LONGEST_LIVE: Final = 2000
"""Characters beyond which a message is not copied to the live stream, which lies in memory."""


def room_topic(room_id: UUID) -> str:
    """Return the topic on which a room's events are heard."""
    return f"room:{room_id}"


def tell_new(session: Session, message: Message) -> None:
    """Tell those who listen of a message that has just been stored."""
    _tell(session, message.room_id, message.first_place, MESSAGE, format_time(message.created_at), shape(message))
    announce_said(session, message, MessageCreated)


def record_change_of(session: Session, state: RoomState, message: Message, kind: str) -> None:
    """Record that a message has changed; `state` is locked."""
    place = message.place = _next_place(state)
    session.flush()
    told = shape(message)
    kept = {name: told[name] for name in ("id", "room_id", "seq")}
    _record(session, state, place, kind, message.id, kept, told)
    if kind == MESSAGE_DELETED:
        announce_deleted(session, message)
    else:
        announce_said(session, message, MessageRestored if kind == MESSAGE_RESTORED else MessageUpdated)


def record_change(session: Session, state: RoomState, kind: str, data: dict[str, Any]) -> None:
    """Record an event that is not of a message; `state` is locked."""
    _record(session, state, _next_place(state), kind, None, data, data)
    _ANNOUNCE[kind](session, state, data)


def _next_place(state: RoomState) -> int:
    state.last_place += 1
    return state.last_place


def _record(
    session: Session,
    state: RoomState,
    place: int,
    kind: str,
    message_id: UUID | None,
    data: dict[str, Any],
    told: dict[str, Any],
) -> None:
    about = {"room_id": state.room_id, "client_id": state.client_id, "place": place}
    change = RoomChange(**about, type=kind, message_id=message_id, data=data)
    session.add(change)
    session.flush()
    session.refresh(change, ["created_at"])
    _tell(session, state.room_id, place, kind, format_time(change.created_at), told)


def _tell(session: Session, room_id: UUID, place: int, kind: str, timestamp: str, data: dict[str, Any]) -> None:
    is_long = len(data.get("content") or "") > LONGEST_LIVE or len(data.get("meta") or ()) > 0
    note(session, "stream", Delivered(room_topic(room_id), place, kind, timestamp, {} if is_long else data))


def shape(message: Message) -> dict[str, Any]:
    """Return a message as clients see it, in REST and in events alike."""
    return {
        "id": str(message.id),
        "room_id": str(message.room_id),
        "seq": message.seq,
        "place": message.place,
        "sender_id": _text(message.sender_id),
        "sender_name": message.sender_name,
        "message_type": message.message_type,
        "content": message.told_content,
        "meta": message.told_meta,
        "reply_to_id": _text(message.reply_to_id),
        "thread_id": _text(message.thread_id),
        "mentions": [str(user_id) for user_id in message.told_mentions],
        "client_message_id": message.client_message_id,
        "is_edited": message.is_edited,
        "is_deleted": message.is_deleted,
        "created_at": format_time(message.created_at),
        "edited_at": format_time(message.edited_at) if message.edited_at else None,
        "deleted_at": format_time(message.deleted_at) if message.deleted_at else None,
    }


def _text(found: UUID | None) -> str | None:
    return None if found is None else str(found)
