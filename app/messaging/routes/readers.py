"""What members have read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.http import principal, requires, transaction
from app.messaging import reading
from app.messaging.routes.base import rooms
from app.messaging.schemas import rooms as schemas


@rooms.route("/rooms/<uuid:room_id>/unread")
class UnreadMessages(MethodView):
    """What is left to read."""

    @rooms.arguments(schemas.UnreadQuery, location="query")
    @rooms.response(200, schemas.Unread)
    @rooms.refuses(403, 404)
    @requires("messages:read", client=True)
    def get(self, query: dict[str, Any], room_id: UUID) -> reading.Unread:
        """How much the caller has not read in a room"""
        with transaction() as session:
            return reading.count_unread(session, principal(), room_id, query.get("user_id"))


@rooms.route("/rooms/<uuid:room_id>/read")
class ReadMessages(MethodView):
    """What is read."""

    @rooms.arguments(schemas.Reading)
    @rooms.response(200, schemas.Unread)
    @rooms.refuses(403, 404)
    @requires("messages:read", client=True)
    def post(self, body: dict[str, Any], room_id: UUID) -> reading.Unread:
        """Note that the caller has read a room, to a message or to the newest"""
        given = (body.get("seq"), body.get("message_id"), body.get("user_id"))
        with transaction() as session:
            return reading.mark_read(session, principal(), room_id, *given)
