"""A client of WebSockets: a real client library, with short words for what tests say all the time."""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any, Self
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SECONDS = 15.0
PASSING = ("presence", "typing")


class Talker:
    """One connection; with a token it says who it is at once."""

    def __init__(self, port: int, token: str | None = None, path: str = "/ws", **options: Any) -> None:
        self._set_aside: deque[dict[str, Any]] = deque()
        opening = connect(f"ws://127.0.0.1:{port}{path}", open_timeout=SECONDS, **options)
        self.socket: ClientConnection = opening.__enter__()
        if token is not None:
            answer = self.ask("auth", token=token)
            assert answer == {"type": "auth_result", "success": True, "user_id": answer.get("user_id")}, answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def leave(self) -> None:
        """Leave without a word: a polite end waits for what is still on its way."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)

    @property
    def code(self) -> int | None:
        """The code with which the server has closed."""
        return self.socket.close_code

    @property
    def reason(self) -> str | None:
        """The reason it gave."""
        return self.socket.close_reason

    def say(self, kind: str, **said: Any) -> None:
        """Send a message."""
        self.socket.send(json.dumps({"type": kind, **said}))

    def ask(self, kind: str, **said: Any) -> dict[str, Any]:
        """Send a message and return what comes next."""
        self.say(kind, **said)
        return self.next()

    def subscribe(self, *topics: str, after: dict[str, Any] | None = None) -> None:
        """Subscribe to topics, all of which have to be granted."""
        answer = self.ask("subscribe", topics=list(topics), **({"after": after} if after else {}))
        assert answer == {"type": "subscribe_result", "success": True, "topics": list(topics), "refused": []}

    def next(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the next message."""
        return self._set_aside.popleft() if self._set_aside else self._receive(seconds)

    def find_present(self) -> list[str]:
        """Return who is in the room just subscribed to; what has come before it, such as old messages, is kept."""
        while "online" not in (said := self._receive(SECONDS)).get("data", {}):
            self._set_aside.append(said)
        online: list[str] = said["data"]["online"]
        return online

    def until(self, *kinds: str) -> dict[str, Any]:
        """Return the next message of one of these types, passing over who is there and who types."""
        while (said := self.next())["type"] not in kinds:
            assert said["type"] in PASSING, said
        return said

    def ask_past(self, kind: str, **said: Any) -> dict[str, Any]:
        """Send a message and return the next that is neither presence nor typing nor an event of a room."""
        self.say(kind, **said)
        while (answer := self.next())["type"] in PASSING or "topic" in answer:
            pass
        return answer

    def take(self, count: int) -> list[dict[str, Any]]:
        """Return the next messages."""
        return [self.next() for _ in range(count)]

    def rest(self) -> list[dict[str, Any]]:
        """Return all messages until the server closes."""
        return list(self._rest())

    def _receive(self, seconds: float) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.socket.recv(seconds))
        return said

    def _rest(self) -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield self.next()
        except ConnectionClosed:
            return


def ids(messages: list[dict[str, Any]]) -> list[int]:
    """Return the numbers of events."""
    return [int(message["id"]) for message in messages]


class Somebody:
    """A user with a login, and a membership in an organization of their own."""

    def __init__(self) -> None:
        self.user_id, self.login_id, self.organization_id = uuid4(), uuid4(), uuid4()

    @property
    def token(self) -> str:
        """What FileCallers believes."""
        said = {"user": self.user_id, "login": self.login_id, "organization": self.organization_id}
        return json.dumps(said, default=str)
