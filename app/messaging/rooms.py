"""Rooms: made, changed, put to sleep and deleted. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Forbidden, Invalid
from app.kernel.principal import Principal
from app.messaging.access import (
    find_actor,
    is_application,
    lock_state,
    lock_user,
    no_room,
    refuse_stranger,
    refuse_unless_manages,
)
from app.messaging.announcing import announce_gone, announce_made
from app.messaging.membership import add_member
from app.messaging.models import DIRECT, MANUAL, MEMBER, OWNER, ChatRoom, RoomState
from app.messaging.order import ROOM_UPDATED, record_change

TWO: Final = 2
INVITE: Final = "rooms:invite"


def make_room(session: Session, caller: Principal, client_id: UUID, fields: dict[str, Any]) -> ChatRoom:
    """Make a room of an application, with its first members; a user who makes one owns it.

    Raises NotFound for a member who is no user of the application, Invalid, and Forbidden for a user who brings others
    in without being allowed to, unless it is the one other of a direct room.
    """
    member_ids: Collection[UUID] = dict.fromkeys(fields.pop("members", ()))
    owner_id = None if is_application(caller) else caller.user_id
    if set(member_ids) - {owner_id} and fields["room_type"] != DIRECT and not caller.may(INVITE, client_id):
        raise Forbidden("You may not bring others into rooms.", required_permission=INVITE)
    first = list(dict.fromkeys(filter(None, (owner_id, *member_ids))))
    if fields["room_type"] == DIRECT:
        fields["max_members"] = TWO
        if len(first) != TWO:
            raise Invalid(errors=[FieldError("members", "A direct room is made with the two who are in it.")])
    if len(first) > fields["max_members"]:
        raise Invalid(errors=[FieldError("members", "There are more than the room may have.")])
    room = ChatRoom(client_id=client_id, created_by=caller.user_id, **fields)
    room.state = RoomState(client_id=client_id)
    session.add(room)
    session.flush()
    announce_made(session, room)
    for user_id in first:
        role = OWNER if user_id == owner_id else MEMBER
        user = refuse_stranger(lock_user(session, user_id), client_id, user_id)
        add_member(session, room.state, room, user, role, {})
    return show(session, room)


def change_room(session: Session, caller: Principal, room: ChatRoom, fields: Mapping[str, Any]) -> ChatRoom:
    """Write the given fields of a room whose row is locked. Raises Forbidden for who does not manage it, Invalid."""
    state = lock_state(session, caller, room.id)
    refuse_unless_manages(find_actor(session, caller, room.id))
    if room.room_type == DIRECT and fields.get("max_members", TWO) != TWO:
        raise Invalid(errors=[FieldError("max_members", "A direct room has two members.")])
    changed = [name for name, value in fields.items() if getattr(room, name) != value]
    for name in changed:
        setattr(room, name, fields[name])
    if changed:
        session.flush()
        session.refresh(room, ["updated_at"])
        _announce(session, state, name=room.name, description=room.description)
    return show(session, room)


def deactivate_room(session: Session, caller: Principal, room: ChatRoom, reason: str | None) -> ChatRoom:
    """Let nobody write in a room any more. Raises Forbidden, RoomStands."""
    state = lock_state(session, caller, room.id)
    refuse_unless_manages(find_actor(session, caller, room.id))
    state.deactivate(MANUAL)
    session.flush()
    _announce(session, state, is_active=False, reason=reason or MANUAL)
    return show(session, room)


def activate_room(session: Session, caller: Principal, room: ChatRoom) -> ChatRoom:
    """Let members write in a room again. Raises Forbidden, RoomStands."""
    state = lock_state(session, caller, room.id)
    refuse_unless_manages(find_actor(session, caller, room.id))
    state.activate()
    session.flush()
    _announce(session, state, is_active=True, reason=None)
    return show(session, room)


def delete_room(session: Session, caller: Principal, room: ChatRoom) -> None:
    """Delete a room with all that was said in it. Raises Forbidden for a user who does not own it."""
    lock_state(session, caller, room.id)
    actor = find_actor(session, caller, room.id)
    refuse_unless_manages(actor)
    if actor.member is not None and actor.member.role != OWNER:
        raise Forbidden("Only owners of the room delete it.", required_permission="rooms:write")
    announce_gone(session, room)
    session.delete(room)
    session.flush()


def show(session: Session, room: ChatRoom) -> ChatRoom:
    """Return the room with all that is told of it; raises NotFound when it is gone."""
    if room.state is None:
        raise no_room(room.id)
    session.refresh(room.state)
    session.refresh(room.state, ["participant_count"])
    return room


def _announce(session: Session, state: RoomState, **changes: Any) -> None:
    record_change(session, state, ROOM_UPDATED, {"room_id": str(state.room_id), **changes})
