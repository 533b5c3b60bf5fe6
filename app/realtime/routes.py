"""Where streams that may carry several topics are opened: server-sent events, and WebSockets."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from marshmallow import fields, validate

from app.http import Blueprint, Schema, open_stream, open_websocket, principal, public, requires, transaction
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.handover import MOST_TOPICS, StreamRequest
from app.realtime.topics import parse_topic, visible_topics

EXECUTION_ENDS = ("execution.finished",)
LONGEST = 10_000

events = Blueprint("events", description="What happens, as it happens")
sockets = Blueprint("websocket", description="What happens, by WebSocket", url_prefix="")
blueprints = (events, sockets)


class EventsQuery(Schema):
    """What to hear."""

    topics = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST),
        metadata={"description": "Up to 100 topics, separated by commas", "example": "workspace:{id},job:{id}"},
    )
    last_event_id = fields.String(
        validate=validate.Length(max=LONGEST), metadata={"description": "Where to resume; as the header Last-Event-ID"}
    )


class ExecutionSocketQuery(Schema):
    """Who is there, and where to resume."""

    token = fields.String(
        validate=validate.Length(1, 8192),
        metadata={"description": "An access token or a key; without it the first message has to be `auth`"},
    )
    last_event_id = fields.String(metadata={"description": "The id of the last update that was heard"})


@events.route("/events")
class Events(MethodView):
    """Several topics in one stream."""

    @events.arguments(EventsQuery, location="query")
    @events.raw("text/event-stream", description="The events as they happen")
    @requires()
    def get(self, query: dict[str, Any]) -> Response:
        """Follow several topics by one stream of server-sent events."""
        topics = _read_topics(query["topics"])
        with transaction() as session:
            visible = visible_topics(session, principal(), topics)
        for topic in topics:
            if topic not in visible:
                raise _not_found(topic)
        grounds = tuple((visible[topic].permission, visible[topic].places) for topic in topics)
        return open_stream(StreamRequest("events", topics, grounds=grounds))


@sockets.route("/ws")
@sockets.route("/api/v1/websocket/open", endpoint="WebSocketOpen")
class Socket(MethodView):
    """A WebSocket for any topics."""

    @sockets.upgrades
    @public
    def get(self) -> Response:
        """Open a WebSocket; its first message says who is there."""
        return open_websocket(StreamRequest("events", ()))


@sockets.route("/ws/executions/<uuid:execution_id>")
class ExecutionSocket(MethodView):
    """A WebSocket for one execution."""

    @sockets.arguments(ExecutionSocketQuery, location="query")
    @sockets.upgrades
    @public
    def get(self, query: dict[str, Any], execution_id: UUID) -> Response:
        """Follow one execution by WebSocket: its updates, until it has ended."""
        topic = f"execution:{execution_id}"
        return open_websocket(StreamRequest("events", (topic,), EXECUTION_ENDS, token=query.get("token")))


def _read_topics(text: str) -> tuple[str, ...]:
    topics = tuple(dict.fromkeys(filter(None, text.split(","))))
    if not 1 <= len(topics) <= MOST_TOPICS:
        raise Invalid(errors=[FieldError("topics", f"Between 1 and {MOST_TOPICS} topics, separated by commas.")])
    return topics


def _not_found(topic: str) -> Exception:
    parsed = parse_topic(topic)
    if parsed is None:
        return Invalid(
            errors=[FieldError("topics", "Topics are called job:{id}, execution:{id}, room:{id} and the like.")]
        )
    return NotFound(resource_type=parsed[0], resource_id=str(parsed[1]))
