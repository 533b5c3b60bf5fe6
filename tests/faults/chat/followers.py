"""Clients who hear a room by WebSocket and come back whenever the connection ends, from where they were.

Each judges all it hears: the next event has the next number, and of each sender the next message has the next number
that the sender gave it. So whatever is lost, doubled or out of order is seen at once, and by whom.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

ANSWER_SECONDS = 20.0
# No pings: the server's show whether anybody is there.
PATIENT: dict[str, Any] = {"open_timeout": ANSWER_SECONDS, "ping_interval": None, "close_timeout": 1.0}
AWAY = (OSError, TimeoutError, WebSocketException)


@dataclass
class Follower:
    """One client in one room; `faults` say what was wrong."""

    address: str
    key: str
    topic: str
    last: int = 0
    comings: int = 0
    delays: array[float] = field(default_factory=lambda: array("d"))
    faults: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)

    async def follow(self, door: asyncio.Semaphore) -> None:
        """Hear the room until cancelled; through the door pass only so many at once."""
        while True:
            try:
                async with self._entering(door) as socket:
                    async for text in socket:
                        said = json.loads(text)
                        if said.get("topic") == self.topic and said["id"] is not None:
                            self._hear(said)
            except AWAY:
                pass
            await asyncio.sleep(random.uniform(0.1, 1.0))

    @asynccontextmanager
    async def _entering(self, door: asyncio.Semaphore) -> AsyncIterator[ClientConnection]:
        """Who has connected says at once who it is: the server does not wait for those who queue behind the others."""
        async with door:
            socket = await connect(self.address, **PATIENT)
            try:
                await self._come(socket)
            except BaseException:
                await socket.close()
                raise
        async with socket:
            yield socket

    async def _come(self, socket: ClientConnection) -> None:
        await _say(socket, "auth", token=self.key)
        await _say(socket, "subscribe", topics=[self.topic], after={self.topic: str(self.last)})
        for _ in range(2):
            answer = json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
            if not answer.get("success"):
                raise ConnectionClosed(None, None)
        self.comings += 1

    def _hear(self, event: dict[str, Any]) -> None:
        number = int(event["id"])
        if number != self.last + 1:
            self.faults.append(f"{self.topic}: {number} came after {self.last}")
        self.last = max(number, self.last)
        if event["type"] != "message":
            return
        sender, count, at = event["data"]["content"].split(":")
        self.delays.append(time.time() - float(at))
        if int(count) != self.sent[sender] + 1:
            self.faults.append(f"{self.topic}: {sender}'s {count} came after {self.sent[sender]}")
        self.sent[sender] = int(count)


@dataclass
class SocketSender:
    """A client who sends by WebSocket, one message after the other, each until it is acknowledged."""

    address: str
    key: str
    room: str
    name: str
    count: int
    sends: int = 0

    async def send_all(self, turns: asyncio.Semaphore) -> None:
        """Send all messages, once it is this sender's turn."""
        async with turns:
            await self._send_all()

    async def _send_all(self) -> None:
        done = 0
        while done < self.count:
            try:
                async with connect(self.address, **PATIENT) as socket:
                    await _say(socket, "auth", token=self.key)
                    await asyncio.wait_for(socket.recv(), ANSWER_SECONDS)
                    while done < self.count:
                        done += await self._send(socket, done + 1)
            except AWAY:
                await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _send(self, socket: ClientConnection, number: int) -> bool:
        self.sends += 1
        content = f"{self.name}:{number}:{time.time()}"
        await _say(socket, "message", room_id=self.room, content=content, client_message_id=f"{self.name}-{number}")
        while True:
            answer = json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
            if answer["type"] == "message_result":
                if not answer["success"]:
                    await asyncio.sleep(0.2)
                return bool(answer["success"])


async def _say(socket: ClientConnection, kind: str, **said: Any) -> None:
    await socket.send(json.dumps({"type": kind, **said}))
