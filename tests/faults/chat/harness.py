"""A run of rooms under kills: the API, the stream process and Redis die again and again while clients talk."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import signal
import threading
import time
from array import array
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from launcher.procfile import read_procfile
from tests.faults.chat.followers import Follower, SocketSender
from tests.support.callers import Caller
from tests.support.platform import Platform
from tests.support.servers import ROOT, Servers

PROCESSES = ("web", "stream")
MANY = "1000000000"
VARIABLES = {
    "MAX_WEBSOCKETS_PER_CLIENT": MANY,
    "MAX_STREAMS": "20000",
    "RATE_LIMIT_CLIENT": f"{MANY}/hour",
    "RATE_LIMIT_MESSAGE": f"{MANY}/hour",
}
ALL = ["read_messages", "send_messages", "join_rooms"]
# Without anything new for so long nothing will come any more.
CALM_SECONDS = 120.0
SENDERS_PER_ROOM = 2
# How many come in, and how many of each kind send, at once: the rest waits for its turn here, not at the server.
AT_THE_DOOR = 100
SENDING = 16


@dataclass(frozen=True)
class Plan:
    """What to run: so many clients hear, in so many rooms, so many messages, while so many kills happen."""

    clients: int
    rooms: int
    messages: int
    kills: int
    seed: int
    spacing: float = 3.0


@dataclass
class Outcome:
    """What was seen; `lost` counts events that a client never heard."""

    plan: Plan
    delivered: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)
    comings: int = 0
    resent: int = 0
    seconds: float = 0.0
    delays: array[float] = field(default_factory=lambda: array("d"))

    @property
    def passed(self) -> bool:
        """Whether every client heard everything once and in order."""
        return not self.faults and self.lost == 0 and self.delivered > 0

    def told(self) -> str:
        """Return the result in a few lines."""
        delays = sorted(self.delays) or [0.0]
        p50, p99 = (delays[int(len(delays) * part)] * 1000 for part in (0.5, 0.99))
        return (
            f"{self.plan.clients} clients in {self.plan.rooms} rooms, {self.plan.messages} messages, "
            f"{self.plan.kills} kills, {self.seconds:.0f} s\n"
            f"delivered {self.delivered}, lost {self.lost}, doubled or out of order {len(self.faults)}, "
            f"came again {self.comings - self.plan.clients}, sent again {self.resent}, "
            f"send to receive p50 {p50:.0f} ms, p99 {p99:.0f} ms\n" + "\n".join(self.faults[:20])
        )


@dataclass
class RestSender:
    """A client who sends by REST, one message after the other, each until it is stored."""

    base: str
    key: str
    room: str
    name: str
    count: int
    sends: int = 0

    def send_all(self) -> None:
        """Send all messages."""
        place = urlsplit(self.base)
        done = 0
        while done < self.count:
            try:
                with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)) as connection:
                    while done < self.count:
                        done += self._send(connection, done + 1)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)

    def _send(self, connection: http.client.HTTPConnection, number: int) -> bool:
        self.sends += 1
        said = {
            "room_id": self.room,
            "content": f"{self.name}:{number}:{time.time()}",
            "client_message_id": f"{self.name}-{number}",
        }
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/messages", json.dumps(said), headers)
        reply = connection.getresponse()
        reply.read()
        if reply.status not in (200, 201):
            time.sleep(0.2)
        return reply.status in (200, 201)


def run(plan: Plan, folder: Path) -> Outcome:
    """Run a plan in an empty folder. Belongs to the main thread."""
    servers = Servers.started()
    try:
        procfile = read_procfile(ROOT / "Procfile")
        platform = Platform(folder, servers, {name: procfile[name] for name in PROCESSES}, **VARIABLES)
        with platform.running():
            return _Run(plan, platform).outcome()
    finally:
        servers.stop()


class _Run:
    def __init__(self, plan: Plan, platform: Platform) -> None:
        self._plan = plan
        self._platform = platform
        self._dice = random.Random(plan.seed)
        self._shop = Caller(platform.base)
        self._shop.token = self._shop.post("/clients", {"name": "Chat"}).data(201)["master_api_key"]
        self._rooms = [self._make_room(number) for number in range(plan.rooms)]
        address = platform.base.replace("http", "ws", 1) + "/ws"
        self._followers = [
            Follower(address, key, f"room:{room}")
            for room, key in (self._rooms[number % plan.rooms] for number in range(plan.clients))
        ]
        share = plan.messages // (plan.rooms * SENDERS_PER_ROOM)
        self._by_rest = [RestSender(platform.base, key, room, "rest", share) for room, key in self._rooms]
        self._by_socket = [SocketSender(address, key, room, "socket", share) for room, key in self._rooms]
        self._waiting = deque(self._by_rest)
        self._over = threading.Event()

    def outcome(self) -> Outcome:
        """Let them talk, kill, wait until all is heard, and judge."""
        began = time.monotonic()
        talking = threading.Thread(target=lambda: asyncio.run(self._talk()), daemon=True)
        senders = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDING)]
        for thread in (talking, *senders):
            thread.start()
        try:
            self._endure()
            self._settle()
        finally:
            # Whoever stops the run early has to get rid of the thread that waits for its end.
            self._over.set()
        talking.join(CALM_SECONDS)
        return self._judge(time.monotonic() - began)

    def _make_room(self, number: int) -> tuple[str, str]:
        user = {"username": f"user{number}", "email": f"user{number}@chat.example", "permissions": ALL}
        made = self._shop.post("/users", user).data(201)
        room = self._shop.post("/rooms", {"name": f"Room {number}", "members": [made["id"]]}).data(201)
        return room["id"], made["scoped_api_key"]

    async def _talk(self) -> None:
        door, turns = asyncio.Semaphore(AT_THE_DOOR), asyncio.Semaphore(SENDING)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.follow(door)) for one in self._followers]
            tasks += [group.create_task(sender.send_all(turns)) for sender in self._by_socket]
            await asyncio.to_thread(self._over.wait)
            for task in tasks:
                task.cancel()

    def _send(self) -> None:
        """Let one sender after the other send all it has."""
        with suppress(IndexError):
            while True:
                self._waiting.popleft().send_all()

    def _endure(self) -> None:
        for _ in range(self._plan.kills):
            time.sleep(self._dice.uniform(0.5, 1.5) * self._plan.spacing)
            self._dice.choice([self._kill_web, self._kill_stream, self._kill_redis, self._deploy_stream])()

    def _kill_web(self) -> None:
        self._platform.restart("web")

    def _kill_stream(self) -> None:
        self._platform.restart("stream")

    def _deploy_stream(self) -> None:
        self._platform.signal("stream", signal.SIGTERM)
        while self._platform.is_running("stream"):
            time.sleep(0.05)
        self._platform.start("stream")

    def _kill_redis(self) -> None:
        self._platform.servers.redis.kill()
        time.sleep(self._dice.uniform(0.1, 2.0))
        self._platform.servers.redis.start()

    def _newest(self) -> dict[str, int]:
        """Return how many events each room has: two members' joins at most, and its messages."""
        share = self._plan.messages // (self._plan.rooms * SENDERS_PER_ROOM)
        return {f"room:{room}": 1 + share * SENDERS_PER_ROOM for room, _ in self._rooms}

    def _settle(self) -> None:
        newest, heard, since = self._newest(), 0, time.monotonic()
        while any(one.last < newest[one.topic] for one in self._followers):
            if (now := sum(one.last for one in self._followers)) > heard:
                heard, since = now, time.monotonic()
            if time.monotonic() - since > CALM_SECONDS:
                return
            time.sleep(0.1)

    def _judge(self, seconds: float) -> Outcome:
        newest = self._newest()
        outcome = Outcome(self._plan, seconds=seconds)
        for one in self._followers:
            outcome.delivered += one.last
            outcome.lost += newest[one.topic] - one.last
            outcome.faults += one.faults
            outcome.comings += one.comings
            outcome.delays += one.delays
        senders: list[Any] = [*self._by_rest, *self._by_socket]
        outcome.resent = sum(one.sends - one.count for one in senders)
        return outcome
