"""Rooms of python-socketio behind Redis. `python -m bench.bare.socketio_rooms PORT REDIS_URL`."""

from __future__ import annotations

import sys

import socketio
from aiohttp import web

NO_PINGS = 3600


def make_app(url: str) -> web.Application:
    """Return a server whose clients enter the room they name."""
    server = socketio.AsyncServer(
        async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(url), ping_interval=NO_PINGS
    )

    async def join(client_id: str, room: str) -> None:
        await server.enter_room(client_id, room)
        await server.emit("welcome", to=client_id)

    server.on("join", join)
    app = web.Application()
    server.attach(app)
    return app


if __name__ == "__main__":
    web.run_app(make_app(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), print=None)
