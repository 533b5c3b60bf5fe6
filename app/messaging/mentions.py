"""Whom a message names: by `@username` in what it says, or by id beside it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.identity import User
from app.messaging.models import RoomMember

MOST_NAMES: Final = 50
_NAME = re.compile(r"(?<![\w@.])@([A-Za-z0-9_.-]{3,50})")


def find_mentioned(session: Session, room_id: UUID, content: str, user_ids: Collection[UUID]) -> list[UUID]:
    """Return the members of the room that are named, at most MOST_NAMES; nobody else is."""
    names = {name.lower() for found in _NAME.findall(content)[:MOST_NAMES] for name in (found, found.rstrip("._-"))}
    if not names and not user_ids:
        return []
    named = (
        select(User.id)
        .join(RoomMember, RoomMember.user_id == User.id)
        .where(RoomMember.room_id == room_id, RoomMember.left_at.is_(None))
        .where(or_(User.id.in_(user_ids), func.lower(User.username).in_(names)))
        .order_by(User.id)
        .limit(MOST_NAMES)
    )
    return list(session.scalars(named))
