"""A client of server-sent events on a plain socket, strict about the wire and patient for as long as it is told."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

SECONDS = 15.0


@dataclass(frozen=True)
class Sent:
    """One event as it came."""

    id: str | None
    type: str
    data: dict[str, Any]


class SseClient:
    """One connection; `last_id` is what to resume with."""

    def __init__(self, port: int, path: str, last_id: str | None = None, *, version: str = "1.1", method: str = "GET"):
        self.last_id = last_id
        self.comments = 0
        self.retry: int | None = None
        self._buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        resume = f"Last-Event-ID: {last_id}\r\n" if last_id is not None else ""
        self.socket.sendall(
            f"{method} {path} HTTP/{version}\r\nHost: test\r\n{resume}X-Request-ID: r1\r\n\r\n".encode()
        )
        try:
            head = self._until(b"\r\n\r\n").decode().split("\r\n")
        except (OSError, EOFError):
            self.close()
            raise
        self.status = int(head[0].split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave without a word."""
        self.socket.close()

    def body(self) -> bytes:
        """Return the body of a plain reply."""
        while len(self._buffer) < int(self.headers["content-length"]):
            self._buffer += self.socket.recv(65536)
        return self._buffer

    def next(self, seconds: float = SECONDS) -> Sent:
        """Return the next event; comments and retry lines are noted and passed over. EOFError at the end."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self._until(b"\n\n", deadline).decode().split("\n")[:-2]
            if all(line.startswith(":") for line in lines):
                self.comments += 1
                continue
            fields = dict(line.split(": ", 1) for line in lines)
            if "retry" in fields:
                self.retry = int(fields["retry"])
                continue
            self.last_id = fields.get("id", self.last_id)
            return Sent(fields.get("id"), fields["event"], json.loads(fields["data"]))

    def settle(self) -> None:
        """Wait for a heartbeat: by then the server has long found this client's place."""
        while b": ping\n\n" not in self._buffer:
            self._buffer += self.socket.recv(65536)

    def take(self, count: int) -> list[Sent]:
        """Return the next `count` events."""
        return [self.next() for _ in range(count)]

    def rest(self) -> Iterator[Sent]:
        """Yield events until the server closes."""
        try:
            while True:
                yield self.next()
        except EOFError:
            return

    def _until(self, mark: bytes, deadline: float | None = None) -> bytes:
        while mark not in self._buffer:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()) if deadline else SECONDS)
            part = self.socket.recv(65536)
            if not part:
                raise EOFError
            self._buffer += part
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark
