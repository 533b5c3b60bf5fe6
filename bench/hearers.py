"""Clients that listen: many sockets of one program, which reads some of them at once and the others in the end.

Who reads thousands of sockets measures itself. The sample is spread evenly over the order in which the clients came.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import jwt
from websockets.frames import Frame, Opcode

from app.identity import TokenReader, register
from app.identity.keys import ALGORITHM, KeyRing
from app.identity.logins import open_login
from app.identity.origins import Origin
from app.identity.recognition import AUDIENCE
from app.jobs import Job
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.handover import Handover, StreamRequest
from app.kernel.ids import new_id
from config.settings import Settings

EVENT = b'"type":"progress"'
SAMPLE = 500
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Owner:
    """Somebody with a login, who may hear the topics of their jobs."""

    user_id: UUID
    token: str

    @classmethod
    def make(cls, database: Database, settings: Settings) -> Self:
        """Make an account, a login and its access token."""
        vault = Vault(settings.secret_key)
        with database.transaction() as session:
            user = register(session, "hearer", "hearer@example.com", "no password lets in here")
            session_id = open_login(session, user, Origin("127.0.0.1", "bench"), 86400).session_id
        signer = KeyRing(database, vault).signer()
        claims: dict[str, Any] = {"sub": str(user.id), "sid": str(session_id), "type": "access", "aud": AUDIENCE}
        claims |= {"iss": settings.public_url, "exp": datetime.now(UTC) + timedelta(hours=1)}
        token = jwt.encode(claims, signer.private_key, ALGORITHM, headers={"kid": signer.kid})
        TokenReader(database, vault, settings.public_url).recognize(token)
        return cls(user.id, token)

    def make_topics(self, database: Database, count: int) -> list[str]:
        """Write the rows of jobs that never run, and return their topics."""
        fixed = {"kind": "bench.nothing", "queue": "default", "priority": 5, "max_attempts": 1}
        jobs = [Job(id=new_id(), payload={}, created_by=self.user_id, **fixed) for _ in range(count)]
        with database.transaction() as session:
            session.add_all(jobs)
        return [job.topic for job in jobs]


class Hearers:
    """Clients of one kind, `sse` or `websocket`, each on one of the topics."""

    def __init__(self, socket_path: Path, kind: str, owner: Owner) -> None:
        self._stack = ExitStack()
        self._path = socket_path
        self._open: Callable[[str], None] = self._listen if kind == "sse" else self._talk
        self._settled = b"retry: " if kind == "sse" else b'"subscribe_result"'
        self._owner = owner
        self._door = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        self._clients: list[socket.socket] = []
        self._sample = select.epoll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def come(self, count: int, topics: Sequence[str]) -> float:
        """Open connections; returns after how many seconds all of them were served."""
        began = time.monotonic()
        for number in range(count):
            self._open(topics[number % len(topics)])
        for client in self._clients:
            self._wait(client, self._settled)
        for client in self._clients[:: max(1, count // SAMPLE)]:
            client.setblocking(False)
            self._sample.register(client, select.EPOLLIN)
        self._by_number = {client.fileno(): client for client in self._clients}
        return time.monotonic() - began

    def hear_one(self, began: float, due: int) -> list[float]:
        """Return after how many seconds each of the sample has heard the event that was told at `began`."""
        delays: list[float] = []
        while len(delays) < due:
            for found, _ in self._sample.poll(10):
                came = self._by_number[found].recv(65536).count(EVENT)
                delays += [time.monotonic() - began] * came
        return delays

    @property
    def sampled(self) -> int:
        """How many clients are read at once."""
        return len(self._clients[:: max(1, len(self._clients) // SAMPLE)])

    def check_rest(self, events: int) -> None:
        """Raise unless all the others have heard every event."""
        for client in self._clients:
            if client.getblocking():
                self._wait(client, EVENT, events)

    def _wait(self, client: socket.socket, mark: bytes, times: int = 1) -> None:
        client.settimeout(SETTLE_SECONDS)
        heard = b""
        while heard.count(mark) < times:
            part = client.recv(65536)
            if not part:
                raise RuntimeError(f"a client was let go: {heard[-200:]!r}")
            heard += part
        client.settimeout(None)

    def _listen(self, topic: str) -> None:
        self._hand_over(StreamRequest("events", (topic,)))

    def _talk(self, topic: str) -> None:
        client = self._hand_over(StreamRequest("events", (), protocol="websocket"))
        for said in ({"type": "auth", "token": self._owner.token}, {"type": "subscribe", "topics": [topic]}):
            client.sendall(Frame(Opcode.TEXT, json.dumps(said).encode()).serialize(mask=True))

    def _hand_over(self, request: StreamRequest) -> socket.socket:
        client = self._stack.enter_context(socket.create_connection(self._door.getsockname()))
        served, _ = self._door.accept()
        with served:
            Handover(self._path, timeout=30).pass_socket(served, request)
        self._clients.append(client)
        return client
