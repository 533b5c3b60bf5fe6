"""Who acts in a room: the application, which may everything in its rooms, or one of its users, who is a member of some.

To a user a room exists while they are in it. Whoever knows the id of a room that is not direct may join it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.identity import User
from app.kernel.errors import Forbidden, NotFound
from app.kernel.principal import Principal
from app.messaging.models import ChatRoom, Message, RoomMember, RoomState


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody in a room; `member` is None for the application."""

    client_id: UUID
    user_id: UUID | None
    name: str
    member: RoomMember | None = None

    @property
    def manages(self) -> bool:
        """Whether they may change the room and its members."""
        return self.member is None or self.member.manages


def is_application(caller: Principal) -> bool:
    """Tell whether a caller is a client application, by its own key."""
    return caller.client_id is not None and caller.user_id == caller.client_id


def lock_state(session: Session, caller: Principal, room_id: UUID) -> RoomState:
    """Return how a room stands, locked: until the transaction ends nobody else writes in the room.

    Raises NotFound for a room of another application, which is not locked.
    """
    mine = select(RoomState).where(RoomState.room_id == room_id, RoomState.client_id == caller.client_id)
    state = session.scalars(mine.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if state is None:
        raise no_room(room_id)
    return state


def find_actor(session: Session, caller: Principal, room_id: UUID) -> Actor:
    """Return who a caller is in a room; raises NotFound for one of another application, and for a user who is not in
    it."""
    if caller.client_id is None:
        raise no_room(room_id)
    if is_application(caller):
        if session.scalar(select(ChatRoom.client_id).where(ChatRoom.id == room_id)) != caller.client_id:
            raise no_room(room_id)
        return Actor(caller.client_id, None, caller.username)
    member = find_member(session, room_id, caller.user_id)
    if member is None:
        raise no_room(room_id)
    return Actor(caller.client_id, caller.user_id, member.display_name, member)


def find_member(session: Session, room_id: UUID, user_id: UUID, *, gone: bool = False) -> RoomMember | None:
    """Return a user's membership; one that has ended only if asked for with `gone`."""
    member = session.get(RoomMember, (room_id, user_id), populate_existing=True)
    return member if member is not None and (gone or member.is_active) else None


def find_actor_as(session: Session, caller: Principal, room_id: UUID, user_id: UUID | None) -> Actor:
    """Return who acts in a room: the caller, or the member whom an application acts for. Raises NotFound, and Forbidden
    for a user who would act for another."""
    actor = find_actor(session, caller, room_id)
    if user_id is None or user_id == actor.user_id:
        return actor
    if actor.member is not None:
        raise Forbidden("Only the client application acts for its users.", required_permission="clients:write")
    member = find_member(session, room_id, user_id)
    if member is None:
        raise NotFound("There is no such member of the room.", resource_type="member", resource_id=str(user_id))
    return Actor(actor.client_id, user_id, member.display_name, member)


def refuse_unless_manages(actor: Actor) -> None:
    """Raises Forbidden for a member who is neither owner nor admin of the room."""
    if not actor.manages:
        raise Forbidden("Only owners and admins of the room may do this.", required_permission="rooms:write")


def lock_user(session: Session, user_id: UUID) -> User | None:
    """Return a user, locked against deletion. Whoever locks a room as well locks the user first, as deleting them does,
    or the two would wait for each other."""
    return session.get(User, user_id, with_for_update={"read": True, "key_share": True})


def refuse_stranger(user: User | None, client_id: UUID, user_id: UUID) -> User:
    """Return the user, if they are one of the application's; raises NotFound."""
    if user is None or user.client_id != client_id:
        raise NotFound("There is no such user of this application.", resource_type="user", resource_id=str(user_id))
    return user


def rooms_of(caller: Principal, column: Any) -> ColumnElement[bool]:
    """Return the condition that a row with this column of room ids lies in a room the caller is in; to its application
    all of them are open, as long as the row is its own."""
    if is_application(caller):
        return column.is_not(None)
    active = RoomMember.left_at.is_(None)
    found: ColumnElement[bool] = column.in_(
        select(RoomMember.room_id).where(RoomMember.user_id == caller.user_id, active)
    )
    return found


def visible_rooms(session: Session, caller: Principal, room_ids: Collection[UUID]) -> list[ChatRoom]:
    """Return those of the rooms that exist for a caller."""
    rows = select(ChatRoom).where(ChatRoom.id.in_(room_ids), ChatRoom.client_id == caller.client_id)
    return list(session.scalars(rows.where(rooms_of(caller, ChatRoom.id))))


def no_room(room_id: UUID) -> NotFound:
    """Return what is raised where a room does not exist for somebody."""
    return NotFound(resource_type="room", resource_id=str(room_id))


def no_message(message_id: UUID) -> NotFound:
    """Return the same for a message."""
    return NotFound(resource_type=Message.noun, resource_id=str(message_id))
