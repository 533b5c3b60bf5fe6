"""Receivers of webhooks: a real server that keeps what it gets, answers as it is told, and verifies signatures by the
public library of Standard Webhooks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"thanks")


@dataclass(frozen=True)
class Got:
    """A request as it came, and when."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        """The parsed body."""
        read: dict[str, Any] = json.loads(self.body)
        return read

    def verified(self, secret: str) -> dict[str, Any]:
        """Return what the public library reads; raises its error for a wrong signature."""
        read: dict[str, Any] = Verifier(secret).verify(self.body, self.headers)
        return read


@dataclass
class Receiver:
    """What a server was sent. `answer` says what it answers to the nth request, counted from 0."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got, int], Answer] = lambda _got, _nth: OK
    busy: int = 0
    most_busy: int = 0
    lock: Any = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[Got]:
        """What it has answered with a 200."""
        return [got for nth, got in enumerate(self.got) if self.answer(got, nth)[0] == 200]

    def answers(self, *statuses: int) -> None:
        """Answer the first requests from now on with these, then 200."""
        begun = len(self.got)
        said = dict(enumerate(statuses, begun))
        self.answer = lambda _, nth: (said.get(nth, 200), {}, b"said")

    def take(self, got: Got) -> Answer:
        """Keep a request, and say what to answer."""
        with self.lock:
            nth = len(self.got)
            self.got.append(got)
            self.busy += 1
            self.most_busy = max(self.busy, self.most_busy)
        try:
            return self.answer(got, nth)
        finally:
            with self.lock:
                self.busy -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, more, said = self.receiver.take(Got(self.path, headers, body, time.monotonic()))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no error."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    server = _Server(("127.0.0.1", 0), handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
