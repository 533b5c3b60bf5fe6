"""Messages: sent, listed, searched, changed, deleted and restored."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView
from marshmallow import ValidationError
from sqlalchemy import Select

from app.http import Reply, limit_caller, match_row, note_row, own_client, principal, requires, transaction
from app.kernel.audit import concern
from app.kernel.errors import FieldError, Invalid
from app.messaging import posting, queries
from app.messaging.models import Message
from app.messaging.routes.base import load_room, messages
from app.messaging.schemas import messages as schemas

SORT = {"seq": Message.seq, "created_at": Message.created_at}
RANK = queries.rank_by(lambda: request.args["q"])


@messages.route("/messages")
class Messages(MethodView):
    """What is said in a room."""

    @messages.paged(
        schemas.Message,
        sort=SORT,
        default="-seq",
        resumed_by="after_seq",
        filters=schemas.MessageFilters,
        count_cap=1000,
    )
    @messages.refuses(404)
    @requires("messages:read", client=True)
    def get(self, filters: dict[str, Any]) -> Select[Message]:
        """The messages of a room, the newest first; with `after_seq` those after it, the oldest first"""
        with transaction() as session:
            load_room(session, filters["room_id"])
        return queries.messages_in(filters.pop("room_id"), filters)

    @messages.arguments(schemas.MessageCreation)
    @messages.response(201, schemas.Message)
    @messages.response(200, schemas.Message, description="It was sent before")
    @messages.refuses(403, 404, 409)
    @requires("messages:write", client=True)
    def post(self, body: dict[str, Any]) -> Reply:
        """Send a message; sent again with its `client_message_id` it is the same one, and the answer 200"""
        limit_caller("message")
        with transaction() as session:
            message, is_new = posting.send_message(session, principal(), body)
        return Reply(message, 201 if is_new else 200)


@messages.route("/messages/search")
class Search(MethodView):
    """Messages found."""

    @messages.paged(
        schemas.Message,
        sort={"rank": RANK, "created_at": Message.created_at},
        default="-rank",
        filters=schemas.MessageSearch,
        count_cap=1000,
    )
    @requires("messages:read", client=True)
    def get(self, filters: dict[str, Any]) -> Select[Message]:
        """Search the rooms the caller is in for words, the best match first"""
        return queries.matching(principal(), own_client(), filters)


@messages.route("/messages/<uuid:message_id>")
class OneMessage(MethodView):
    """A message."""

    @messages.response(200, schemas.Message)
    @messages.refuses(404)
    @requires("messages:read", client=True)
    def get(self, message_id: UUID) -> Message:
        """A message"""
        with transaction() as session:
            message = posting.load_message(session, principal(), message_id)
        note_row(message)
        return message

    @messages.arguments(schemas.MessageReplacement)
    @messages.response(200, schemas.Message)
    @messages.refuses(403, 404, 409)
    @requires("messages:write", client=True)
    def put(self, body: dict[str, Any], message_id: UUID) -> Message:
        """Say something else; for its author and the application"""
        return _edit(body, message_id)

    @messages.arguments(schemas.MessageChange)
    @messages.response(200, schemas.Message)
    @messages.refuses(403, 404, 409)
    @requires("messages:write", client=True)
    def patch(self, body: dict[str, Any], message_id: UUID) -> Message:
        """Change some of what a message says; for its author and the application"""
        return _edit(body, message_id)

    @messages.response(204)
    @messages.refuses(403, 404)
    @requires("messages:write", client=True)
    def delete(self, message_id: UUID) -> None:
        """Delete a message, so that nobody is told what it said; its place stays"""
        with transaction() as session:
            posting.delete_message(session, principal(), message_id, match_row)
            concern(session, "message", message_id, None)


@messages.route("/messages/<uuid:message_id>/restore")
class Restoration(MethodView):
    """A message comes back."""

    @messages.response(200, schemas.Message)
    @messages.refuses(403, 404, 409)
    @requires("messages:write", client=True)
    def post(self, message_id: UUID) -> Message:
        """Restore a deleted message with what it said; for whoever has deleted it, and the application"""
        with transaction() as session:
            return posting.restore_message(session, principal(), message_id)


@messages.route("/messages/<uuid:message_id>/thread")
class Thread(MethodView):
    """What was replied."""

    @messages.paged(schemas.Message, sort={"seq": Message.seq}, default="seq", count_cap=1000)
    @messages.refuses(404)
    @requires("messages:read", client=True)
    def get(self, message_id: UUID) -> Select[Message]:
        """The replies to a message, the oldest first; of a reply, all of its thread"""
        with transaction() as session:
            return queries.thread_of(posting.load_message(session, principal(), message_id))


def _edit(body: dict[str, Any], message_id: UUID) -> Message:
    with transaction() as session:
        message = posting.load_message(session, principal(), message_id)
        try:
            fields = schemas.read_change(message.message_type, body)
        except ValidationError as error:
            raise Invalid(errors=[FieldError("meta", str(error.messages))]) from None
        concern(session, "message", message_id, None)
        return posting.edit_message(session, principal(), message_id, fields, match_row)
