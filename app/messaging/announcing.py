"""What happens in rooms, put into the log of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.events import announce
from app.messaging.events import (
    MessageCreated,
    MessageDeleted,
    MessageRestored,
    MessageUpdated,
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
    RoomUpdated,
)
from app.messaging.models import ChatRoom, Message, RoomState


def announce_made(session: Session, room: ChatRoom) -> None:
    """Announce a room."""
    announce(session, RoomCreated(room.client_id, room.id, room.name, room.room_type, room.created_by))


def announce_gone(session: Session, room: ChatRoom) -> None:
    """Announce the end of a room."""
    announce(session, RoomDeleted(room.client_id, room.id, room.name))


def announce_changed(session: Session, state: RoomState, data: Mapping[str, Any]) -> None:
    """Announce what is new of a room."""
    changes = {name: value for name, value in data.items() if name != "room_id"}
    announce(session, RoomUpdated(state.client_id, state.room_id, changes))


def announce_joined(session: Session, state: RoomState, data: Mapping[str, Any]) -> None:
    """Announce that a user is in a room."""
    who = (UUID(data["user_id"]), data["user_name"])
    announce(session, RoomJoined(state.client_id, state.room_id, *who, data["role"]))


def announce_left(session: Session, state: RoomState, data: Mapping[str, Any]) -> None:
    """Announce that a user is in a room no more."""
    by = data["removed_by"]
    who = (UUID(data["user_id"]), data["user_name"])
    announce(session, RoomLeft(state.client_id, state.room_id, *who, by and UUID(by)))


def announce_said(
    session: Session, message: Message, event: type[MessageCreated | MessageUpdated | MessageRestored]
) -> None:
    """Announce what a message says."""
    said = ("content", "meta", "reply_to_id", "thread_id", "mentions", "client_message_id")
    announce(session, event(**_about(message), **{name: getattr(message, name) for name in said}))


def announce_deleted(session: Session, message: Message) -> None:
    """Announce that a message says nothing any more."""
    announce(session, MessageDeleted(**_about(message), deleted_by=message.deleted_by))


def _about(message: Message) -> dict[str, Any]:
    names = ("client_id", "room_id", "seq", "place", "sender_id", "sender_name", "message_type")
    return {"message_id": message.id, **{name: getattr(message, name) for name in names}}
