"""Rooms and messages, made over the API."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.support.clients import API, Holder
from tests.support.identity import data_of

ROOMS = f"{API}/rooms"
MESSAGES = f"{API}/messages"
ALL = ["read_messages", "send_messages", "join_rooms", "manage_rooms", "invite_users"]


def make_room(client: FlaskClient, by: Holder, *members: Holder, **fields: Any) -> str:
    """Make a room and return its id."""
    body = {"name": "General", "members": [member.id for member in members], **fields}
    made: str = data_of(client.post(ROOMS, json=body, headers=by.headers), 201)["id"]
    return made


def send(client: FlaskClient, by: Holder, room: str, content: str = "Hello", **fields: Any) -> Any:
    """Send a message and return what the API says of it."""
    body = {"room_id": room, "content": content, **fields}
    reply = client.post(MESSAGES, json=body, headers=by.headers)
    return data_of(reply, reply.status_code if reply.status_code == 200 else 201)


def listed(client: FlaskClient, by: Holder, room: str, query: str = "") -> Any:
    """Return messages of a room."""
    return data_of(client.get(f"{MESSAGES}?room_id={room}{query}", headers=by.headers))
