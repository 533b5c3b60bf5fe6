"""Rooms: made, listed, changed, put to sleep and deleted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import own_client, principal, requires, transaction
from app.messaging import rooms as service
from app.messaging.models import ChatRoom, RoomState
from app.messaging.queries import filter_rooms
from app.messaging.routes.base import load_room, rooms
from app.messaging.schemas import rooms as schemas

SORT = {"created_at": ChatRoom.created_at, "name": ChatRoom.name, "last_message_at": RoomState.last_message_at}


@rooms.route("/rooms")
class Rooms(MethodView):
    """Rooms."""

    @rooms.paged(schemas.Room, sort=SORT, default="-created_at", filters=schemas.RoomFilters)
    @requires("rooms:read", client=True)
    def get(self, filters: dict[str, Any]) -> Select[ChatRoom]:
        """The rooms the caller is in; for the application all of them"""
        return filter_rooms(principal(), own_client(), filters)

    @rooms.arguments(schemas.RoomCreation)
    @rooms.response(201, schemas.Room)
    @rooms.refuses(404)
    @requires("rooms:write", client=True)
    def post(self, body: dict[str, Any]) -> ChatRoom:
        """Make a room; a user who makes one owns it"""
        with transaction() as session:
            return service.make_room(session, principal(), own_client(), body)


@rooms.route("/rooms/all")
class AllRooms(MethodView):
    """All rooms of an application."""

    @rooms.paged(schemas.Room, sort=SORT, default="-created_at", filters=schemas.RoomFilters)
    @requires("clients:read", client=True)
    def get(self, filters: dict[str, Any]) -> Select[ChatRoom]:
        """All rooms of the application, for its own key alone"""
        return filter_rooms(principal(), own_client(), filters)


@rooms.route("/rooms/<uuid:room_id>")
class OneRoom(MethodView):
    """A room."""

    @rooms.response(200, schemas.Room)
    @requires("rooms:read", client=True)
    def get(self, room_id: UUID) -> ChatRoom:
        """A room the caller is in"""
        with transaction() as session:
            return service.show(session, load_room(session, room_id))

    @rooms.arguments(schemas.RoomReplacement)
    @rooms.response(200, schemas.Room)
    @requires("rooms:write", client=True)
    def put(self, body: dict[str, Any], room_id: UUID) -> ChatRoom:
        """Replace a room's fields; for its owners and admins, and the application"""
        with transaction() as session:
            return service.change_room(session, principal(), load_room(session, room_id, to_change=True), body)

    @rooms.arguments(schemas.RoomChange)
    @rooms.response(200, schemas.Room)
    @requires("rooms:write", client=True)
    def patch(self, body: dict[str, Any], room_id: UUID) -> ChatRoom:
        """Change some of a room's fields; for its owners and admins, and the application"""
        with transaction() as session:
            return service.change_room(session, principal(), load_room(session, room_id, to_change=True), body)

    @rooms.response(204)
    @requires("rooms:write", client=True)
    def delete(self, room_id: UUID) -> None:
        """Delete a room with all that was said in it; for its owners, and the application"""
        with transaction() as session:
            service.delete_room(session, principal(), load_room(session, room_id, to_change=True))


@rooms.route("/rooms/<uuid:room_id>/deactivate")
class RoomDeactivation(MethodView):
    """A room falls silent."""

    @rooms.arguments(schemas.Deactivation)
    @rooms.response(200, schemas.Room)
    @rooms.refuses(409)
    @requires("rooms:write", client=True)
    def post(self, body: dict[str, Any], room_id: UUID) -> ChatRoom:
        """Let nobody write in a room until it is activated; what was said can be read"""
        with transaction() as session:
            room = load_room(session, room_id, to_change=True)
            return service.deactivate_room(session, principal(), room, body["reason"])


@rooms.route("/rooms/<uuid:room_id>/activate")
class RoomActivation(MethodView):
    """A room speaks again."""

    @rooms.arguments(schemas.Nothing)
    @rooms.response(200, schemas.Room)
    @rooms.refuses(409)
    @requires("rooms:write", client=True)
    def post(self, _: dict[str, Any], room_id: UUID) -> ChatRoom:
        """Let members write in a room again"""
        with transaction() as session:
            return service.activate_room(session, principal(), load_room(session, room_id, to_change=True))
