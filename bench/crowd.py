"""A crowd: WebSockets of one program, all of which are read. What they hear carries the moment at which it was sent, so
that one way of measuring does for servers of any kind."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final, Self

from websockets.frames import Frame, Opcode

STAMP: Final = re.compile(rb"t=(\d+\.\d{6})")
LONGEST_STAMP: Final = 32
SECONDS: Final = 120.0
# Servers let those go who answer no ping; a pong that nobody asked for shows as well that somebody is there.
PONG: Final = Frame(Opcode.PONG, b"").serialize(mask=True)
PONG_SECONDS: Final = 15.0
HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

Hello = Callable[[int], Sequence[str]]
"""What the client of a number says first."""


def stamp() -> str:
    """Return the text of a message that is sent now."""
    return f"t={time.monotonic():.6f}"


class Crowd:
    """Clients of the server at `port`; each is there once it has heard `settled`."""

    def __init__(self, port: int, path: str, hello: Hello, settled: bytes) -> None:
        self._address = ("127.0.0.1", port)
        self._handshake = HANDSHAKE.format(path=path).encode()
        self._hello = hello
        self._settled = settled
        self._stack = ExitStack()
        self._came: list[socket.socket] = []
        self._clients: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        self._readable = select.epoll()
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def come(self, count: int) -> None:
        """Let so many clients come; raises RuntimeError when one is not let in."""
        for number in range(count):
            self._came.append(self._open(number))
            self._show()
        for client in self._came:
            _read_until(client, self._settled)
            self._show()
            client.setblocking(False)
            self._clients[client.fileno()] = client
            self._tails[client.fileno()] = b""
            self._readable.register(client, select.EPOLLIN)

    def hear(self, due: int) -> list[float]:
        """Return after how many seconds each of the `due` messages, one for each who heard it, had come; raises
        RuntimeError when some do not come."""
        delays: list[float] = []
        deadline = time.monotonic() + SECONDS
        while len(delays) < due:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{due - len(delays)} of {due} messages did not come")
            self._show()
            for number, _ in self._readable.poll(1):
                delays += self._read(number)
        return delays

    def _show(self) -> None:
        """Let all clients show now and then that they are there."""
        if time.monotonic() - self._shown > PONG_SECONDS:
            self._shown = time.monotonic()
            for client in self._came:
                client.sendall(PONG)

    def _open(self, number: int) -> socket.socket:
        client = self._stack.enter_context(self._connect())
        client.sendall(self._handshake)
        _read_until(client, b"\r\n\r\n", once=True)
        for said in self._hello(number):
            client.sendall(Frame(Opcode.TEXT, said.encode()).serialize(mask=True))
        return client

    def _connect(self) -> socket.socket:
        """Return a connection; a server that has just been started may not listen yet."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(self._address, timeout=SECONDS)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _read(self, number: int) -> list[float]:
        try:
            part = self._clients[number].recv(262_144)
        except BlockingIOError:
            return []
        now = time.monotonic()
        if not part:
            raise RuntimeError("a client was let go")
        heard = self._tails[number] + part
        found = list(STAMP.finditer(heard))
        self._tails[number] = heard[found[-1].end() if found else 0 :][-LONGEST_STAMP:]
        return [now - float(one[1]) for one in found]


def _read_until(client: socket.socket, mark: bytes, *, once: bool = False) -> None:
    """Read on until the mark has come; with `once` no byte more, for what follows belongs to somebody else."""
    heard = b""
    while mark not in heard:
        part = client.recv(1 if once else 65_536)
        if not part:
            raise RuntimeError(f"a client was not let in: {heard[-200:]!r}")
        heard += part
