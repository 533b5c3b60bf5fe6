"""Who is in a room: joining, leaving, being brought in and sent out, and what role each has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.identity import User, before_user_deletion
from app.kernel.clock import database_now
from app.kernel.errors import Forbidden, NotFound
from app.kernel.principal import Principal
from app.messaging.access import (
    find_actor,
    find_member,
    is_application,
    lock_state,
    lock_user,
    no_room,
    refuse_stranger,
    refuse_unless_manages,
)
from app.messaging.errors import AlreadyInRoom, RoomClosed, RoomFull, SentOut
from app.messaging.models import ADMIN, DIRECT, MEMBER, OWNER, ChatRoom, RoomMember, RoomState
from app.messaging.order import USER_JOINED, USER_LEFT, record_change


def join_room(session: Session, caller: Principal, room_id: UUID, given: Mapping[str, Any]) -> RoomMember:
    """Let a user into a room: the caller, or whom the application names.

    Raises NotFound, RoomInactive, AlreadyInRoom, RoomFull, RoomClosed, SentOut, and Forbidden for a user who names
    another.
    """
    user_id = _whom(caller, given.get("user_id"))
    user = lock_user(session, user_id)
    state, room = _lock_room(session, caller, room_id)
    if room.room_type == DIRECT and not is_application(caller):
        raise no_room(room_id)
    user = refuse_stranger(user, room.client_id, user_id)
    before = _find_before(session, room, user)
    if before is not None and before.sent_out_by is not None and not is_application(caller):
        raise SentOut
    return add_member(session, state, room, user, MEMBER, given)


def bring_in(session: Session, caller: Principal, room_id: UUID, given: Mapping[str, Any]) -> RoomMember:
    """Let a member bring another user of the application into a room. Raises as `join_room` does, and Forbidden when
    they give a role, or bring somebody back who was sent out, without managing the room."""
    user_id = given["user_id"]
    user = lock_user(session, user_id)
    state, room = _lock_room(session, caller, room_id)
    actor = find_actor(session, caller, room_id)
    role = given.get("role", MEMBER)
    if role != MEMBER:
        refuse_unless_manages(actor)
        _refuse_beyond(caller, actor.member, role)
    user = refuse_stranger(user, room.client_id, user_id)
    before = _find_before(session, room, user)
    if before is not None and before.sent_out_by is not None:
        refuse_unless_manages(actor)
    return add_member(session, state, room, user, role, given)


def add_member(
    session: Session, state: RoomState, room: ChatRoom, user: User, role: str, given: Mapping[str, Any]
) -> RoomMember:
    """Write that a user is in a room whose state is locked. Raises RoomInactive, AlreadyInRoom, RoomFull,
    RoomClosed."""
    state.refuse_inactive()
    member = find_member(session, room.id, user.id, gone=True)
    if member is not None and member.is_active:
        raise AlreadyInRoom(user_id=str(user.id))
    inside = select(func.count()).where(RoomMember.room_id == room.id, RoomMember.left_at.is_(None))
    if (session.scalar(inside) or 0) >= room.max_members:
        raise RoomClosed if room.room_type == DIRECT else RoomFull(max_members=room.max_members)
    if member is None:
        member = RoomMember(room_id=room.id, user_id=user.id, client_id=room.client_id, last_read_seq=state.last_seq)
        session.add(member)
    member.role, member.left_at, member.sent_out_by, member.joined_at = role, None, None, database_now()
    member.display_name = given.get("user_name") or user.display_name or user.username
    member.meta = given.get("meta", member.meta or {})
    session.flush()
    session.refresh(member)
    record_change(session, state, USER_JOINED, _said_of(member))
    return member


def leave_room(session: Session, caller: Principal, room_id: UUID, user_id: UUID | None) -> None:
    """End the membership of the caller, or of whom the application names. Raises NotFound, Forbidden."""
    whom = _whom(caller, user_id)
    state, _ = _lock_room(session, caller, room_id)
    member = find_member(session, room_id, whom)
    if member is None:
        raise no_room(room_id) if not is_application(caller) else _no_member(whom)
    _end(session, state, member, whom)


def send_out(session: Session, caller: Principal, room_id: UUID, user_id: UUID) -> None:
    """End another's membership. Raises NotFound, and Forbidden for who does not manage the room, or less than they."""
    state, _ = _lock_room(session, caller, room_id)
    actor = find_actor(session, caller, room_id)
    member = find_member(session, room_id, user_id)
    if member is None:
        raise _no_member(user_id)
    if actor.user_id != user_id:
        refuse_unless_manages(actor)
        _refuse_beyond(caller, actor.member, member.role)
        member.sent_out_by = actor.user_id or actor.client_id
    _end(session, state, member, actor.user_id)


@before_user_deletion
def end_memberships(session: Session, user: User) -> None:
    """Let a user who is about to be deleted leave all rooms, so that the others are told and somebody owns each."""
    inside = select(RoomMember.room_id).where(RoomMember.user_id == user.id, RoomMember.left_at.is_(None))
    states = select(RoomState).where(RoomState.room_id.in_(inside)).order_by(RoomState.room_id)
    for state in session.scalars(states.with_for_update().execution_options(populate_existing=True)).all():
        member = find_member(session, state.room_id, user.id)
        if member is not None:
            _end(session, state, member, None)


def change_role(session: Session, caller: Principal, room_id: UUID, user_id: UUID, role: str) -> RoomMember:
    """Give a member another role. Raises NotFound, and Forbidden for who does not manage the room; only owners make
    owners and change them, and the last owner stays one."""
    lock_state(session, caller, room_id)
    actor = find_actor(session, caller, room_id)
    member = find_member(session, room_id, user_id)
    if member is None:
        raise _no_member(user_id)
    refuse_unless_manages(actor)
    for touched in (member.role, role):
        _refuse_beyond(caller, actor.member, touched)
    member.role = role
    session.flush()
    _keep_an_owner(session, room_id, but=user_id)
    return member


def _end(session: Session, state: RoomState, member: RoomMember, by: UUID | None) -> None:
    member.left_at = database_now()
    session.flush()
    record_change(session, state, USER_LEFT, {**_said_of(member), "removed_by": _other(by, member.user_id)})
    if member.role == OWNER:
        _keep_an_owner(session, member.room_id, but=member.user_id)


def _keep_an_owner(session: Session, room_id: UUID, but: UUID) -> None:
    """Let the admin, else the member, who is in the room longest own it when nobody else does."""
    inside = select(RoomMember).where(RoomMember.room_id == room_id, RoomMember.left_at.is_(None))
    rank = case((RoomMember.role == OWNER, 0), (RoomMember.role == ADMIN, 1), else_=2)
    heir = session.scalars(
        inside.order_by(rank, RoomMember.user_id == but, RoomMember.joined_at, RoomMember.user_id).limit(1)
    ).one_or_none()
    if heir is not None and heir.role != OWNER:
        heir.role = OWNER
        session.flush()


def _find_before(session: Session, room: ChatRoom, user: User) -> RoomMember | None:
    """Return the membership of who is to come in, if they were in the room before; raises RoomClosed for who was not,
    where nobody else ever comes in."""
    before = find_member(session, room.id, user.id, gone=True)
    if before is None and room.room_type == DIRECT:
        raise RoomClosed
    return before


def _lock_room(session: Session, caller: Principal, room_id: UUID) -> tuple[RoomState, ChatRoom]:
    state = lock_state(session, caller, room_id)
    room = session.get(ChatRoom, room_id)
    if room is None:
        raise no_room(room_id)
    return state, room


def _whom(caller: Principal, user_id: UUID | None) -> UUID:
    if user_id is None or user_id == caller.user_id:
        if is_application(caller):
            raise NotFound("Say which user by `user_id`: an application is in no room.", resource_type="user")
        return caller.user_id
    if not is_application(caller):
        raise Forbidden("Only the client application acts for its users.", required_permission="clients:write")
    return user_id


def _refuse_beyond(caller: Principal, member: RoomMember | None, role: str) -> None:
    if role == OWNER and not is_application(caller) and (member is None or member.role != OWNER):
        raise Forbidden("Only owners of the room make, change and send out owners.", required_permission="rooms:write")


def _other(by: UUID | None, user_id: UUID) -> str | None:
    return None if by is None or by == user_id else str(by)


def _said_of(member: RoomMember) -> dict[str, Any]:
    return {
        "room_id": str(member.room_id),
        "user_id": str(member.user_id),
        "user_name": member.display_name,
        "role": member.role,
    }


def _no_member(user_id: UUID) -> NotFound:
    return NotFound("There is no such member of the room.", resource_type="member", resource_id=str(user_id))
