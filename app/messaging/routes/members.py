"""Who is in a room."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import principal, requires, transaction
from app.kernel.audit import concern
from app.messaging import membership as service
from app.messaging.models import RoomMember
from app.messaging.queries import members_of
from app.messaging.routes.base import load_room, rooms
from app.messaging.schemas import rooms as schemas

SORT = {"joined_at": RoomMember.joined_at, "user_name": RoomMember.display_name}


@rooms.route("/rooms/<uuid:room_id>/join")
class Joining(MethodView):
    """The way in."""

    @rooms.arguments(schemas.Joining)
    @rooms.response(200, schemas.Member)
    @rooms.refuses(403, 404, 409)
    @requires("rooms:join", client=True)
    def post(self, body: dict[str, Any], room_id: UUID) -> RoomMember:
        """Join a room that is not a direct one; the application lets a user of its own join, by `user_id`"""
        with transaction() as session:
            return service.join_room(session, principal(), room_id, body)


@rooms.route("/rooms/<uuid:room_id>/leave")
class Leaving(MethodView):
    """The way out."""

    @rooms.arguments(schemas.Leaving)
    @rooms.response(204)
    @rooms.refuses(403, 404)
    @requires("rooms:read", client=True)
    def post(self, body: dict[str, Any], room_id: UUID) -> None:
        """Leave a room; who comes back finds what they had read as it was"""
        with transaction() as session:
            service.leave_room(session, principal(), room_id, body.get("user_id"))
            concern(session, "room", room_id, None)


@rooms.route("/rooms/<uuid:room_id>/participants")
class Participants(MethodView):
    """Who is in a room."""

    @rooms.paged(schemas.Member, sort=SORT, default="joined_at", filters=schemas.MemberFilters)
    @requires("rooms:read", client=True)
    def get(self, filters: dict[str, Any], room_id: UUID) -> Select[RoomMember]:
        """Who is in a room"""
        return _list(filters, room_id)


@rooms.route("/rooms/<uuid:room_id>/members")
class Members(MethodView):
    """Who is in a room, and who is brought in."""

    @rooms.paged(schemas.Member, sort=SORT, default="joined_at", filters=schemas.MemberFilters)
    @requires("rooms:read", client=True)
    def get(self, filters: dict[str, Any], room_id: UUID) -> Select[RoomMember]:
        """Who is in a room; the same as its participants"""
        return _list(filters, room_id)

    @rooms.arguments(schemas.Invitation)
    @rooms.response(201, schemas.Member)
    @rooms.refuses(403, 404, 409)
    @requires("rooms:invite", client=True)
    def post(self, body: dict[str, Any], room_id: UUID) -> RoomMember:
        """Bring a user of the application into a room the caller is in"""
        with transaction() as session:
            return service.bring_in(session, principal(), room_id, body)


@rooms.route("/rooms/<uuid:room_id>/members/<uuid:user_id>")
class OneMember(MethodView):
    """A member of a room."""

    @rooms.arguments(schemas.RoleChange)
    @rooms.response(200, schemas.Member)
    @rooms.refuses(403, 404)
    @requires("rooms:write", client=True)
    def patch(self, body: dict[str, Any], room_id: UUID, user_id: UUID) -> RoomMember:
        """Give a member another role; only owners make owners"""
        with transaction() as session:
            return service.change_role(session, principal(), room_id, user_id, body["role"])

    @rooms.response(204)
    @rooms.refuses(403, 404)
    @requires("rooms:write", client=True)
    def delete(self, room_id: UUID, user_id: UUID) -> None:
        """Send a member out of a room"""
        with transaction() as session:
            service.send_out(session, principal(), room_id, user_id)


def _list(filters: dict[str, Any], room_id: UUID) -> Select[RoomMember]:
    with transaction() as session:
        load_room(session, room_id)
    return members_of(room_id, filters)
