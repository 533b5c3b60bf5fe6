"""A container's three streams over one connection, read without waiting: the engine's own framing of attach.

After the head of its answer the connection carries raw bytes: to the container its standard input, from it frames of
eight bytes of head (which stream, how long) and their data.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from tasks.pipelines.gateways.containers.base import Check, ContainersUnavailable
from tasks.pipelines.gateways.containers.docker.engine import Engine, clean
from tasks.pipelines.gateways.sandbox.base import SandboxFailed, Stream

_STREAMS: Final[dict[int, Stream]] = {1: "stdout", 2: "stderr"}
_HEAD: Final = 8
_PIECE: Final = 256 * 1024
_MOST_HEAD: Final = 64 * 1024
_BEGIN_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.2
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")


class Attached:
    """The streams of one container. When this closes, or its process dies, the container's standard input ends."""

    def __init__(self, address: str, engine: Engine, container: str, check: Check) -> None:
        self._socket = _connect(address)
        self._buffer = bytearray()
        self._stream: Stream | None = None
        self._left = 0
        self.ended = False
        try:
            self._begin(engine.path_of(f"/containers/{container}/attach", dict.fromkeys(_WANTED, 1)), check)
        except BaseException:
            self.close()
            raise

    def read(self, seconds: float) -> Iterator[tuple[Stream, bytes]]:
        """Wait for output, at most so long, and yield what has come; at its end `ended` is set."""
        if select.select([self._socket], [], [], seconds)[0]:
            self._receive()
        yield from self._take()

    def send(self, word: str) -> None:
        """Say something to the container's first process; that it has gone is no error."""
        with suppress(OSError):
            self._socket.settimeout(1.0)
            self._socket.sendall(f"{word}\n".encode())
            self._socket.setblocking(False)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _begin(self, target: str, check: Check) -> None:
        ask = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0"
        give_up = time.monotonic() + _BEGIN_SECONDS
        try:
            self._socket.settimeout(_BEGIN_SECONDS)
            self._socket.sendall(f"{ask}\r\n\r\n".encode())
            while b"\r\n\r\n" not in self._buffer:
                check()
                if not select.select([self._socket], [], [], _LOOK_SECONDS)[0] and time.monotonic() < give_up:
                    continue
                piece = self._socket.recv(4096)
                if not piece or len(self._buffer) > _MOST_HEAD:
                    raise ContainersUnavailable("The container engine did not give the container's output.")
                self._buffer += piece
        except OSError as error:
            raise ContainersUnavailable("The container engine did not give the container's output.") from error
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        status = _STATUS.match(head)
        if status is None or int(status[1]) not in (101, 200):
            raise SandboxFailed(f"The container could not be made ready: {_said(rest)}")
        self._socket.setblocking(False)

    def _receive(self) -> None:
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._buffer += piece
        self.ended = not piece

    def _take(self) -> Iterator[tuple[Stream, bytes]]:
        """Give out what is there, of a frame that has not come whole too: a head may say four gigabytes. Neighbouring
        frames of one stream go out together, for an engine makes one of every line or so."""
        pieces, held = list[bytes](), self._stream
        for piece in self._pieces():
            if self._stream != held:
                yield from _joined(held, pieces)
                pieces, held = [], self._stream
            pieces.append(piece)
        yield from _joined(held, pieces)

    def _pieces(self) -> Iterator[bytes]:
        """Yield the data of frames, each of `_stream`."""
        place = 0
        while place < len(self._buffer):
            if not self._left:
                if place + _HEAD > len(self._buffer):
                    break
                self._stream = _STREAMS.get(self._buffer[place])
                self._left = int.from_bytes(self._buffer[place + 4 : place + _HEAD], "big")
                place += _HEAD
            piece = bytes(self._buffer[place : place + self._left])
            self._left -= len(piece)
            place += len(piece)
            yield piece
        del self._buffer[:place]


_WANTED: Final = ("stream", "stdin", "stdout", "stderr")


def _joined(stream: Stream | None, pieces: list[bytes]) -> Iterator[tuple[Stream, bytes]]:
    if stream and (whole := b"".join(pieces)):
        yield stream, whole


def read_frames(raw: bytes) -> bytes:
    """Return the data of whole frames, of whichever stream."""
    data, place = bytearray(), 0
    while place + _HEAD <= len(raw):
        length = int.from_bytes(raw[place + 4 : place + _HEAD], "big")
        data += raw[place + _HEAD : place + _HEAD + length]
        place += _HEAD + length
    return bytes(data)


def _said(body: bytes) -> str:
    """What a refusal says, of which perhaps only the beginning has come."""
    text = body.decode(errors="replace")
    return clean(text.partition('"message":"')[2].partition('"}')[0] or text)


def _connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    try:
        if parts.scheme != "unix":
            return socket.create_connection((parts.hostname or "", parts.port or 2375), timeout=5.0)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5.0)
        connection.connect(parts.path)
        return connection
    except OSError as error:
        raise ContainersUnavailable("The container engine cannot be connected to.") from error
