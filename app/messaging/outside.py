"""What is told in rooms from outside of their applications: alerts of the organizations that a room listens to.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.errors import NotFound
from app.kernel.principal import Principal
from app.messaging.models import SYSTEM, ChatRoom
from app.messaging.posting import send_message

LONGEST = 10_000


def listens_to(session: Session, room_id: UUID, organization_id: UUID) -> bool:
    """Tell whether those who manage a room want to be told there of an organization's alerts."""
    room = session.get(ChatRoom, room_id)
    return room is not None and str(organization_id) in room.alerts_from


def tell_room(
    session: Session, organization_id: UUID, room_id: UUID, name: str, content: str, event: Mapping[str, Any]
) -> UUID:
    """Write a system message into a room that listens to an organization; returns its id.

    Raises NotFound for any other room, RoomInactive.
    """
    room = session.get(ChatRoom, room_id)
    if room is None or not listens_to(session, room_id, organization_id):
        raise NotFound("No such room listens to the organization.", resource_type="room", resource_id=str(room_id))
    application = Principal(user_id=room.client_id, username=name, client_id=room.client_id)
    said = {"room_id": room_id, "message_type": SYSTEM, "content": content[:LONGEST], "meta": dict(event)}
    return send_message(session, application, said)[0].id
