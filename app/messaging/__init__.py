"""Messaging: the rooms of client applications, who is in them and what is said there. What happens in a room has one
order without gaps, given under the lock of its state; the realtime room reads it from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.messaging.access import is_application, visible_rooms
from app.messaging.attachments import forget_attachments, unclaimed
from app.messaging.intents import PruneMessages, SweepRooms
from app.messaging.keeping import forget_old_announcements, forget_old_changes, forget_old_messages, put_to_sleep
from app.messaging.models import ChatRoom, Message, RoomMember
from app.messaging.order import EVENT_TYPES, LONGEST_LIVE, room_topic, shape
from app.messaging.outside import listens_to, tell_room
from app.messaging.posting import send_message
from app.messaging.replay import last_places, newest_events, room_events
from app.messaging.rights import memberships_ended

if TYPE_CHECKING:
    from app.messaging.composing import read_message
    from app.messaging.routes import blueprints

_FRONT = {"blueprints": "app.messaging.routes", "read_message": "app.messaging.composing"}

__all__ = [
    "EVENT_TYPES",
    "LONGEST_LIVE",
    "ChatRoom",
    "Message",
    "PruneMessages",
    "RoomMember",
    "SweepRooms",
    "blueprints",
    "forget_attachments",
    "forget_old_announcements",
    "forget_old_changes",
    "forget_old_messages",
    "is_application",
    "last_places",
    "listens_to",
    "memberships_ended",
    "newest_events",
    "put_to_sleep",
    "read_message",
    "room_events",
    "room_topic",
    "send_message",
    "shape",
    "tell_room",
    "unclaimed",
    "visible_rooms",
]


def __getattr__(name: str) -> Any:
    # The frame of HTTP is loaded where messages come in.
    if name in _FRONT:
        return getattr(import_module(_FRONT[name]), name)
    raise AttributeError(name)
