"""Whether those who listen to rooms are still in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.messaging.models import ChatRoom


class Right(Protocol):
    """By whose right, and held in which places, somebody goes on hearing a room."""

    @property
    def user_id(self) -> UUID | None: ...

    @property
    def places(self) -> Sequence[UUID]: ...

    @property
    def room_id(self) -> UUID | None: ...


SomeRight = TypeVar("SomeRight", bound=Right)

# Two arrays, not two parameters for each: the statement stays the same for any number of listeners.
_STILL_IN = text(
    """
    SELECT room_id, user_id FROM room_members
    JOIN unnest(CAST(:rooms AS uuid[]), CAST(:users AS uuid[])) AS asked (room_id, user_id) USING (room_id, user_id)
    WHERE left_at IS NULL
    """
)


def memberships_ended(session: Session, rights: Collection[SomeRight]) -> list[SomeRight]:
    """Return which of these rights to hear rooms are gone: with the membership, or with the room itself."""
    asked = [right for right in rights if right.room_id is not None]
    if not asked:
        return []
    rooms = session.scalars(select(ChatRoom.id).where(ChatRoom.id.in_({right.room_id for right in asked})))
    there = set(rooms)
    given = {"rooms": [right.room_id for right in asked], "users": [right.user_id for right in asked]}
    members = {(row.room_id, row.user_id) for row in session.execute(_STILL_IN, given)}
    return [
        right
        for right in asked
        if right.room_id not in there
        or ((right.room_id, right.user_id) not in members and right.user_id not in right.places)
    ]
