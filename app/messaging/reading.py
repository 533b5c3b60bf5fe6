"""What members have read, and what they have not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import any_, func, literal, select, update
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.principal import Principal
from app.messaging.access import Actor, find_actor_as
from app.messaging.models import Message, RoomMember, RoomState

MOST_COUNTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Unread:
    """How a member stands with a room. `count` goes to MOST_COUNTED; their own messages and deleted ones are not in it.
    `mentions` are those that name them."""

    room_id: UUID
    user_id: UUID
    count: int
    mentions: int
    last_read_seq: int
    last_seq: int


def mark_read(
    session: Session, caller: Principal, room_id: UUID, seq: int | None, message_id: UUID | None, user_id: UUID | None
) -> Unread:
    """Note what a member has read, to a message or to the newest; what was read stays read.

    Raises NotFound, and Invalid for a message that is not there yet.
    """
    reader = _reader(find_actor_as(session, caller, room_id, user_id))
    newest = _last_seq(session, room_id)
    if message_id is not None:
        seq = session.scalar(select(Message.seq).where(Message.id == message_id, Message.room_id == room_id))
        if seq is None:
            raise Invalid(errors=[FieldError("message_id", "There is no such message in the room.")])
    if seq is not None and seq > newest:
        raise Invalid(errors=[FieldError("seq", f"The newest message is {newest}.")])
    row = (RoomMember.room_id == room_id, RoomMember.user_id == reader.user_id)
    farther = func.greatest(RoomMember.last_read_seq, newest if seq is None else seq)
    session.execute(update(RoomMember).where(*row).values(last_read_seq=farther, last_read_at=database_now()))
    session.refresh(reader)
    return _unread(session, reader, newest)


def count_unread(session: Session, caller: Principal, room_id: UUID, user_id: UUID | None) -> Unread:
    """Return what a member has not read. Raises NotFound."""
    reader = _reader(find_actor_as(session, caller, room_id, user_id))
    return _unread(session, reader, _last_seq(session, room_id))


def _unread(session: Session, reader: RoomMember, newest: int) -> Unread:
    fresh: Any = (
        Message.room_id == reader.room_id,
        Message.seq > reader.last_read_seq,
        Message.deleted_at.is_(None),
        func.coalesce(Message.sender_id, Message.client_id) != reader.user_id,
    )
    some = select(literal(1)).where(*fresh).limit(MOST_COUNTED).subquery()
    naming = (
        select(literal(1))
        .where(*fresh, literal(reader.user_id) == any_(Message.mentions))
        .limit(MOST_COUNTED)
        .subquery()
    )
    counts = [session.scalar(select(func.count()).select_from(found)) or 0 for found in (some, naming)]
    return Unread(reader.room_id, reader.user_id, counts[0], counts[1], reader.last_read_seq, newest)


def _last_seq(session: Session, room_id: UUID) -> int:
    return session.scalar(select(RoomState.last_seq).where(RoomState.room_id == room_id)) or 0


def _reader(actor: Actor) -> RoomMember:
    if actor.member is None:
        raise NotFound("Say which user by `user_id`: an application reads nothing.", resource_type="user")
    return actor.member
