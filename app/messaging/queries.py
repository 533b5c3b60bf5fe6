"""What is read of rooms and messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Select,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import contains_eager

from app.kernel.principal import Principal
from app.messaging.access import rooms_of
from app.messaging.models import ATTACHMENTS, WORDS, ChatRoom, Message, RoomMember, RoomState

# As the index has it, or the index would not be used.
_WORDS: Final[ColumnElement[Any]] = literal_column(str(WORDS))


def filter_rooms(caller: Principal, client_id: UUID, filters: Mapping[str, Any]) -> Select[ChatRoom]:
    """Select the rooms of an application that the caller is in, or all for the application; filters: search, is_active,
    room_type."""
    rows = (
        select(ChatRoom)
        .join(ChatRoom.state)
        .options(contains_eager(ChatRoom.state).undefer(RoomState.participant_count))
        .where(ChatRoom.client_id == client_id, rooms_of(caller, ChatRoom.id))
    )
    if "is_active" in filters:
        rows = rows.where(RoomState.is_active.is_(filters["is_active"]))
    if "room_type" in filters:
        rows = rows.where(ChatRoom.room_type == filters["room_type"])
    if "search" not in filters:
        return rows
    named = (column.icontains(filters["search"], autoescape=True) for column in (ChatRoom.name, ChatRoom.description))
    return rows.where(or_(*named))


def members_of(room_id: UUID, filters: Mapping[str, Any]) -> Select[RoomMember]:
    """Select who is in a room; filters: role."""
    rows = select(RoomMember).where(RoomMember.room_id == room_id, RoomMember.left_at.is_(None))
    return rows.where(RoomMember.role == filters["role"]) if "role" in filters else rows


def messages_in(room_id: UUID, filters: Mapping[str, Any]) -> Select[Message]:
    """Select the messages of a room; filters: after_seq, before_seq, message_type, sender_id, start_date, end_date,
    mentions, include_deleted."""
    rows = select(Message).where(Message.room_id == room_id)
    if filters.get("include_deleted") is False:
        rows = rows.where(Message.deleted_at.is_(None))
    for name, condition in _CONDITIONS.items():
        if name in filters:
            rows = rows.where(condition(filters[name]))
    return rows


_CONDITIONS: Final[Mapping[str, Callable[[Any], ColumnElement[bool]]]] = {
    "after_seq": lambda seq: Message.seq > seq,
    "before_seq": lambda seq: Message.seq < seq,
    "message_type": lambda kind: Message.message_type == kind,
    "sender_id": lambda user_id: Message.sender_id == user_id,
    "start_date": lambda moment: Message.created_at >= moment,
    "end_date": lambda moment: Message.created_at < moment,
    "mentions": lambda user_id: literal(user_id) == any_(Message.mentions),
}


def thread_of(message: Message) -> Select[Message]:
    """Select the replies to a message, and to these; of a reply, those of the thread it belongs to."""
    return select(Message).where(Message.thread_id == (message.thread_id or message.id))


def matching(caller: Principal, client_id: UUID, filters: Mapping[str, Any]) -> Select[Message]:
    """Select the messages in the caller's rooms that hold all the words of `q`, which may be "phrases", `or` and
    `-without`; filters: room_ids, sender_ids, message_types, start_date, end_date, has_mentions, has_attachments."""
    query = func.websearch_to_tsquery("simple", filters["q"])
    rows = select(Message).where(
        Message.client_id == client_id,
        rooms_of(caller, Message.room_id),
        Message.deleted_at.is_(None),
        _WORDS.op("@@")(query),
    )
    for name, column in (
        ("room_ids", Message.room_id),
        ("sender_ids", Message.sender_id),
        ("message_types", Message.message_type),
    ):
        if name in filters:
            rows = rows.where(column.in_(filters[name]))
    for name in ("start_date", "end_date"):
        if name in filters:
            rows = rows.where(_CONDITIONS[name](filters[name]))
    if "has_mentions" in filters:
        rows = rows.where((func.cardinality(Message.mentions) > 0).is_(filters["has_mentions"]))
    if "has_attachments" in filters:
        rows = rows.where(Message.message_type.in_(ATTACHMENTS).is_(filters["has_attachments"]))
    return rows


def rank_by(find_words: Callable[[], str]) -> ColumnElement[float]:
    """Return how well a message matches the words that are searched for, asked for when the query runs."""
    query = func.websearch_to_tsquery("simple", bindparam("searched_words", callable_=find_words))
    # As double precision, which a cursor gives back to the last bit.
    return cast(func.ts_rank(_WORDS, query), Double)
