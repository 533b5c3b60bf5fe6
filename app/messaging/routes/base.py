"""The blueprints of messaging, and how a route reaches a room."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.http import Blueprint, load, principal
from app.messaging.access import find_actor, lock_state
from app.messaging.models import ChatRoom

rooms = Blueprint("rooms", description="Chat rooms of client applications, and who is in them")
messages = Blueprint("messages", description="What is said in rooms")


def load_room(session: Session, room_id: UUID, *, to_change: bool = False) -> ChatRoom:
    """Return a room in which the caller is, locked if it is to be changed; raises NotFound."""
    if to_change:
        # The state first, as all who write in a room do.
        lock_state(session, principal(), room_id)
    room = load(session, ChatRoom, room_id, for_update=to_change)
    find_actor(session, principal(), room_id)
    return room
