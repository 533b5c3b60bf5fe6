"""The servers of chat rooms that are measured: ours, and others that store nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import redis
import socketio

from bench.client import Connection, request_bytes
from bench.crowd import Hello
from bench.ground import Ground
from bench.targets import bare_programs
from launcher.demo.api import Api

MANY = "900000000"
VARIABLES = {
    "MAX_WEBSOCKETS_PER_CLIENT": MANY,
    "RATE_LIMIT_CLIENT": f"{MANY}/hour",
    "RATE_LIMIT_MESSAGE": f"{MANY}/hour",
}
USER = {"username": "hearer", "email": "hearer@example.com", "permissions": ["read_messages", "send_messages"]}

Say = Callable[[int, str], None]
"""Says something in the room of a number."""


@dataclass(frozen=True, slots=True)
class Side:
    """A server: where it is, what its clients say first and hear then, the process whose memory sockets cost, and who
    speaks: each thread needs a speaker of its own."""

    port: int
    path: str
    hello: Hello
    settled: bytes
    pid: int
    speaker: Callable[[], Say]


def open_ours(ground: Ground, name: str, rooms: int) -> Iterator[Side]:
    """Run the API, the stream process and the relay, with rooms of an application; messages are sent by REST."""
    with ground.platform(name, "web", "stream", "relay", **VARIABLES) as programs:
        ids, key = _make_rooms(programs.base, rooms)

        def hello(number: int) -> list[str]:
            topic = f"room:{ids[number % rooms]}"
            subscribe = {"type": "subscribe", "topics": [topic], "after": {topic: "latest"}}
            return [json.dumps({"type": "auth", "token": key}), json.dumps(subscribe)]

        def speaker() -> Say:
            connection = Connection(programs.port)

            def say(room: int, text: str) -> None:
                said = {"room_id": ids[room], "content": text}
                connection.send(request_bytes("POST", "/api/v1/messages", token=key, body=said), 201)

            return say

        yield Side(programs.port, "/ws", hello, b'"subscribe_result"', programs.pid("stream"), speaker)


def open_fanout(ground: Ground, name: str, rooms: int) -> Iterator[Side]:
    """Run nothing but a fan-out."""
    commands = {"fanout": "python -m bench.bare.fanout ${PORT} ${REDIS_URL}"}
    with bare_programs(ground, name, **commands) as programs:

        def speaker() -> Say:
            client = redis.Redis.from_url(programs.settings.redis_url)
            return lambda room, text: _publish(client, room, text)

        pid = programs.pid("fanout")
        yield Side(programs.port, "/", lambda number: [f"room:{number % rooms}"], b"welcome", pid, speaker)


def open_socketio(ground: Ground, name: str, rooms: int) -> Iterator[Side]:
    """Run rooms of python-socketio."""
    commands = {"rooms": "python -m bench.bare.socketio_rooms ${PORT} ${REDIS_URL}"}
    with bare_programs(ground, name, **commands) as programs:
        url = programs.settings.redis_url

        def speaker() -> Say:
            outlet = socketio.RedisManager(url, write_only=True)
            return lambda room, text: outlet.emit("message", _event(room, text), room=f"room:{room}")

        # Packets of Engine.IO and Socket.IO: connect, then an event.
        def hello(number: int) -> list[str]:
            return ["40", "42" + json.dumps(["join", f"room:{number % rooms}"])]

        path = "/socket.io/?EIO=4&transport=websocket"
        yield Side(programs.port, path, hello, b'"welcome"', programs.pid("rooms"), speaker)


def _make_rooms(base: str, count: int) -> tuple[list[str], str]:
    """Make an application with a user who is in so many rooms; return their ids, and the user's key."""
    api = Api(base)
    api.token = str(api.post("/clients", {"name": "Bench"}).data["master_api_key"])
    user = api.post("/users", USER).data
    made = [api.post("/rooms", {"name": f"Room {number}", "members": [user["id"]]}) for number in range(count)]
    return [str(room.data["id"]) for room in made], str(user["scoped_api_key"])


def _publish(client: redis.Redis, room: int, text: str) -> None:
    client.publish(f"room:{room}", json.dumps(_event(room, text)))


def _event(room: int, text: str) -> dict[str, Any]:
    """Return an event about as large as ours."""
    return {"type": "message", "topic": f"room:{room}", "data": {"content": text, "padding": "x" * 500}}
