"""Sending, changing, deleting and restoring messages. A send is one short transaction: lock, number, store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.errors import FieldError, Forbidden, Invalid
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.messaging.access import Actor, find_actor, find_actor_as, lock_state, no_message
from app.messaging.attachments import bind, describe, find_carried
from app.messaging.errors import MessageStands
from app.messaging.mentions import find_mentioned
from app.messaging.models import SYSTEM, Message, RoomState
from app.messaging.order import (
    MESSAGE_DELETED,
    MESSAGE_RESTORED,
    MESSAGE_UPDATED,
    ROOM_UPDATED,
    record_change,
    record_change_of,
    tell_new,
)

WRITE: Final = "messages:write"

Look = Callable[[Message], None]
"""What is done with a message once it is locked, before it changes; may raise."""


def send_message(session: Session, caller: Principal, given: Mapping[str, Any]) -> tuple[Message, bool]:
    """Store a message as the next one of its room; returns it, and whether it is new. One with a `client_message_id`
    that the sender has used in the room before is that message, whatever it says.

    Raises NotFound for a room that does not exist for the caller, RoomInactive, Forbidden, Invalid.
    """
    state = lock_state(session, caller, given["room_id"])
    sender = find_actor_as(session, caller, state.room_id, given.get("sender_id"))
    known = _find_sent(session, state, sender, given.get("client_message_id"))
    if known is not None:
        return known, False
    if given["message_type"] == SYSTEM and sender.user_id is not None:
        raise Forbidden("Only the client application itself sends system messages.", required_permission="rooms:write")
    is_awake = state.awake()
    parent = _find_parent(session, state, given.get("reply_to_id"))
    carried = find_carried(session, sender, state.room_id, given["message_type"], given["meta"], None)
    if not is_awake:
        _wake(session, state)
    message = _store(session, state, sender, {**given, "meta": describe(carried, given["meta"])}, parent)
    if carried is not None:
        bind(session, message, carried)
    tell_new(session, message)
    return message, True


def edit_message(
    session: Session, caller: Principal, message_id: UUID, fields: Mapping[str, Any], look: Look
) -> Message:
    """Write what a message says from now on. Raises NotFound, Forbidden for another's, MessageStands, RoomInactive."""
    message, state, actor = _load_to_change(session, caller, message_id)
    _refuse_unless_own(actor, message)
    look(message)
    state.refuse_inactive()
    if message.is_deleted:
        raise MessageStands("The message is deleted.")
    if not fields:
        return message
    for name, value in _with_files(session, actor, message, fields).items():
        setattr(message, name, value)
    if "content" in fields:
        message.mentions = find_mentioned(session, state.room_id, fields["content"], ())
    message.edited_at = database_now()
    session.flush()
    session.refresh(message, ["edited_at"])
    record_change_of(session, state, message, MESSAGE_UPDATED)
    return message


def delete_message(session: Session, caller: Principal, message_id: UUID, look: Look) -> Message:
    """Tell nobody any more what a message says; a deleted one stays so. Members who manage the room may delete those of
    others. Raises NotFound, Forbidden."""
    message, state, actor = _load_to_change(session, caller, message_id)
    if not actor.manages:
        _refuse_unless_own(actor, message)
    look(message)
    if not message.is_deleted:
        message.deleted_at = database_now()
        message.deleted_by = actor.user_id or actor.client_id
        session.flush()
        session.refresh(message, ["deleted_at"])
        record_change_of(session, state, message, MESSAGE_DELETED)
    return message


def restore_message(session: Session, caller: Principal, message_id: UUID) -> Message:
    """Let a deleted message say again what it said: for the application, and for whoever has deleted it.

    Raises NotFound, Forbidden, MessageStands, RoomInactive.
    """
    message, state, actor = _load_to_change(session, caller, message_id)
    if not message.is_deleted:
        _refuse_unless_own(actor, message)
        raise MessageStands("The message is not deleted.")
    if actor.member is not None and actor.user_id != (message.deleted_by or message.sender_id):
        raise Forbidden("Only who has deleted a message restores it.", required_permission=WRITE)
    state.refuse_inactive()
    message.deleted_at = message.deleted_by = None
    session.flush()
    record_change_of(session, state, message, MESSAGE_RESTORED)
    return message


def load_message(session: Session, caller: Principal, message_id: UUID) -> Message:
    """Return a message; raises NotFound for one in a room that does not exist for the caller."""
    message = session.get(Message, message_id)
    if message is None or message.client_id != caller.client_id:
        raise no_message(message_id)
    find_actor(session, caller, message.room_id)
    return message


def _load_to_change(session: Session, caller: Principal, message_id: UUID) -> tuple[Message, RoomState, Actor]:
    # The room first: whoever changes a message and whoever deletes the room take their locks in one order.
    room_id = load_message(session, caller, message_id).room_id
    state = lock_state(session, caller, room_id)
    message = session.get(Message, message_id, populate_existing=True)
    if message is None:
        raise no_message(message_id)
    return message, state, find_actor(session, caller, room_id)


def _with_files(session: Session, actor: Actor, message: Message, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is to be written of a message, which carries from now on the file that its `meta` names."""
    if "meta" not in fields:
        return fields
    carried = find_carried(session, actor, message.room_id, message.message_type, fields["meta"], message.id)
    bind(session, message, carried)
    return {**fields, "meta": describe(carried, fields["meta"])}


def _refuse_unless_own(actor: Actor, message: Message) -> None:
    if actor.member is not None and message.sender_id != actor.user_id:
        raise Forbidden("Only its author changes a message.", required_permission=WRITE)


def _find_sent(session: Session, state: RoomState, sender: Actor, client_message_id: str | None) -> Message | None:
    if client_message_id is None:
        return None
    sent = select(Message).where(
        Message.room_id == state.room_id,
        func.coalesce(Message.sender_id, Message.client_id) == (sender.user_id or sender.client_id),
        Message.client_message_id == client_message_id,
    )
    return session.scalars(sent).one_or_none()


def _find_parent(session: Session, state: RoomState, reply_to_id: UUID | None) -> Message | None:
    if reply_to_id is None:
        return None
    parent = session.get(Message, reply_to_id)
    if parent is None or parent.room_id != state.room_id or parent.is_deleted:
        raise Invalid(errors=[FieldError("reply_to_id", "There is no such message in the room.")])
    return parent


def _wake(session: Session, state: RoomState) -> None:
    state.activate()
    record_change(session, state, ROOM_UPDATED, {"room_id": str(state.room_id), "is_active": True, "reason": None})


def _store(
    session: Session, state: RoomState, sender: Actor, given: Mapping[str, Any], parent: Message | None
) -> Message:
    place = state.last_place + 1
    values = {
        "id": new_id(),
        "client_id": state.client_id,
        "room_id": state.room_id,
        "seq": state.last_seq + 1,
        "first_place": place,
        "place": place,
        "sender_id": sender.user_id,
        "sender_name": sender.name,
        "message_type": given["message_type"],
        "content": given["content"],
        "meta": given["meta"],
        "reply_to_id": parent and parent.id,
        "thread_id": parent and (parent.thread_id or parent.id),
        "mentions": find_mentioned(session, state.room_id, given["content"], given.get("mentions", ())),
        "client_message_id": given.get("client_message_id"),
    }
    message = session.scalars(insert(Message).values(**values).returning(Message)).one()
    counted = {"last_seq": message.seq, "last_place": place, "last_message_at": message.created_at}
    counter = table_of(RoomState)
    session.execute(
        update(counter).where(counter.c.room_id == state.room_id).values(**counted, quiet_since=message.created_at)
    )
    return message
