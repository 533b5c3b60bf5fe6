"""What is told and not kept: that somebody types, that somebody is there."""

from __future__ import annotations

from typing import Any, Final

from app.kernel.clock import format_time, utc_now
from app.kernel.principal import Principal
from app.kernel.stream import PASSING, Delivered

TYPING: Final = "typing"
PRESENCE: Final = "presence"


def typing_event(topic: str, caller: Principal, *, is_typing: bool) -> Delivered:
    """Return the event that a caller begins or stops to write in a room."""
    data = {
        "room_id": topic.partition(":")[2],
        "user_id": str(caller.user_id),
        "user_name": caller.username,
        "is_typing": is_typing,
    }
    return Delivered(topic, PASSING, TYPING, format_time(utc_now()), data)


def presence_event(topic: str, **said: Any) -> Delivered:
    """Return the event that tells who is in a room: one user who came or went, or all who are there."""
    data = {"room_id": topic.partition(":")[2], **said}
    return Delivered(topic, PASSING, PRESENCE, format_time(utc_now()), data)
