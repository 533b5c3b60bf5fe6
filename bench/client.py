"""A client that costs little beside what it measures: one request, made beforehand, sent over a few connections."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SECONDS = 30.0


def request_bytes(
    method: str, path: str, *, token: str = "", body: Any = None, packed: bytes = b"", **headers: str
) -> bytes:
    """Return a request of HTTP/1.1 as it goes over the wire, with a body of JSON or one that is packed already."""
    content = packed if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["Content-Type: application/json"] if body is not None else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Connection:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes, status: int) -> bytes:
        """Send a request and return the body of its reply; raises RuntimeError for another status."""
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        while length and len(body) < int(length[1]):
            body += self._receive()
        if int(head[9:12]) != status:
            raise RuntimeError(f"{head.decode()}\n{body.decode(errors='replace')}")
        return body

    def close(self) -> None:
        """Leave."""
        self.socket.close()

    def _receive(self) -> bytes:
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


@dataclass(slots=True)
class Load:
    """What a closed loop saw: seconds of each request, and of the whole."""

    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.wall


def closed_loop(port: int, requests: Iterable[bytes], status: int, connections: int = 4) -> Load:
    """Send requests once each, shared out over some connections, each of which waits for its reply before it sends
    again; raises the first fault."""
    load, waiting, faults = Load(), iter(requests), list[Exception]()
    lock = threading.Lock()

    def caller() -> None:
        try:
            connection = Connection(port)
            while True:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    return connection.close()
                began = time.perf_counter()
                connection.send(request, status)
                load.seconds.append(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - told in the thread that asked
            faults.append(error)

    threads = [threading.Thread(target=caller) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.wall = time.perf_counter() - began
    if faults:
        raise faults[0]
    return load
