"""What rooms announce to the rest of the platform, to webhooks above all. Those who listen to a room hear its own order
of events instead (`order`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.kernel.events import ClientEvent


@dataclass(frozen=True, slots=True)
class _OfRoom(ClientEvent):
    room_id: UUID


@dataclass(frozen=True, slots=True)
class RoomCreated(_OfRoom):
    """A room was made, by a user or by the application itself."""

    type: ClassVar[str] = "room.created"

    name: str
    room_type: str
    created_by: UUID | None


@dataclass(frozen=True, slots=True)
class RoomUpdated(_OfRoom):
    """A room has changed: `changes` has what is new, such as its `name`, or `is_active` with a `reason`."""

    type: ClassVar[str] = "room.updated"

    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RoomDeleted(_OfRoom):
    """A room is gone, with all that was said in it."""

    type: ClassVar[str] = "room.deleted"

    name: str


@dataclass(frozen=True, slots=True)
class RoomJoined(_OfRoom):
    """A user is in a room now."""

    type: ClassVar[str] = "room.joined"

    user_id: UUID
    user_name: str
    role: str


@dataclass(frozen=True, slots=True)
class RoomLeft(_OfRoom):
    """A user is not in a room any more: they left, or `removed_by` sent them out, or they were deleted."""

    type: ClassVar[str] = "room.left"

    user_id: UUID
    user_name: str
    removed_by: UUID | None


@dataclass(frozen=True, slots=True)
class _OfMessage(_OfRoom):
    message_id: UUID
    seq: int
    place: int
    sender_id: UUID | None
    sender_name: str
    message_type: str


@dataclass(frozen=True, slots=True)
class _OfSaidMessage(_OfMessage):
    content: str
    meta: dict[str, Any]
    reply_to_id: UUID | None
    thread_id: UUID | None
    mentions: list[UUID]
    client_message_id: str | None


@dataclass(frozen=True, slots=True)
class MessageCreated(_OfSaidMessage):
    """Somebody has said something in a room; without a `sender_id` it was the application itself."""

    type: ClassVar[str] = "message.created"


@dataclass(frozen=True, slots=True)
class MessageUpdated(_OfSaidMessage):
    """A message says something else than before."""

    type: ClassVar[str] = "message.updated"


@dataclass(frozen=True, slots=True)
class MessageRestored(_OfSaidMessage):
    """A deleted message says again what it said."""

    type: ClassVar[str] = "message.restored"


@dataclass(frozen=True, slots=True)
class MessageDeleted(_OfMessage):
    """A message was deleted: nobody is told any more what it said."""

    type: ClassVar[str] = "message.deleted"

    deleted_by: UUID | None
