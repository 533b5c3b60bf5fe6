"""The least that a chat can be: who subscribes to a room gets what is published to it by Redis. Nothing is stored,
nobody is asked who they are. `python -m bench.bare.fanout PORT REDIS_URL`."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

import redis.asyncio
from websockets.asyncio.server import ServerConnection, broadcast, serve

ROOMS = "room:*"


class Rooms:
    """Who listens to which room."""

    def __init__(self) -> None:
        self._members: dict[str, set[ServerConnection]] = defaultdict(set)

    async def serve(self, client: ServerConnection) -> None:
        """Let a client into the room it names, until it leaves."""
        room = str(await client.recv())
        self._members[room].add(client)
        await client.send("welcome")
        try:
            await client.wait_closed()
        finally:
            self._members[room].discard(client)

    async def follow(self, url: str) -> None:
        """Pass on what is published."""
        async with redis.asyncio.Redis.from_url(url) as client, client.pubsub() as heard:
            await heard.psubscribe(ROOMS)
            async for message in heard.listen():
                if message["type"] == "pmessage":
                    broadcast(self._members[message["channel"].decode()], message["data"].decode())


async def main(port: int, url: str) -> None:
    """Serve until the end."""
    rooms = Rooms()
    async with serve(rooms.serve, "127.0.0.1", port, ping_interval=None, compression=None):
        await rooms.follow(url)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
