"""Where clients come in: the Unix socket on which the API's processes hand over the sockets of their clients."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import orjson

from app.kernel.handover import COUNT, FULL, LARGEST_MESSAGE, ROOM, StreamRequest

log = logging.getLogger(__name__)

BACKLOG = 1024
VISIT_SECONDS = 10.0
PAUSE_SECONDS = 0.1

Adopt = Callable[[socket.socket, StreamRequest], object]
Counts = Callable[[], Mapping[str, int]]


class Reception:
    """Listens at `path`, which only this user may enter. `has_room` is told how many clients are about to come.

    `adopt` takes over a client's socket; it raises ValueError when it will not have it. `counts` are told to whoever
    asks.
    """

    def __init__(self, path: Path, has_room: Callable[[int], bool], adopt: Adopt, counts: Counts) -> None:
        self._path = path
        self._has_room = has_room
        self._adopt = adopt
        self._counts = counts
        self._visits: set[_Visit] = set()
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._inode = 0

    def open(self) -> None:
        """Start to listen, in the place of a predecessor that was killed or is about to leave."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        mask = os.umask(0o177)
        try:
            self._socket.bind(str(draft))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen at {self._path}: {error}") from error
        finally:
            os.umask(mask)
        self._socket.listen(BACKLOG)
        draft.replace(self._path)
        self._inode = self._path.stat().st_ino
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Let nobody in any more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for visit in tuple(self._visits):
            visit.end()
        with suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _accept(self) -> None:
        try:
            channel, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # Out of file descriptors: the caller stays in the queue, and asking again at once would spin.
            log.warning("cannot let a client in: %s", error)
            self._loop.remove_reader(self._socket)
            self._loop.call_later(PAUSE_SECONDS, self._resume)
            return
        channel.setblocking(False)
        has_room = self._has_room(len(self._visits))
        try:
            channel.send(ROOM if has_room else FULL)
        except OSError:
            channel.close()
            return
        adopt = self._adopt if has_room else _refuse
        self._visits.add(_Visit(self._loop, channel, adopt, self._counts, self._visits.discard))

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)


class _Visit:
    """One process of the API, from its greeting until it has passed a socket, changed its mind, or taken too long."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        channel: socket.socket,
        adopt: Adopt,
        counts: Counts,
        on_end: Callable[[_Visit], None],
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._adopt = adopt
        self._counts = counts
        self._on_end = on_end
        self._message = b""
        self._client: socket.socket | None = None
        self._deadline = loop.call_later(VISIT_SECONDS, self.end)
        loop.add_reader(channel, self._receive)

    def end(self) -> None:
        """Close everything that was not adopted."""
        self._deadline.cancel()
        self._loop.remove_reader(self._channel)
        self._channel.close()
        self._on_end(self)
        if self._client is not None:
            self._client.close()

    def _receive(self) -> None:
        try:
            part = self._receive_part()
        except BlockingIOError:
            return
        except OSError:
            self.end()
            return
        self._message += part
        if not part:
            self._hand_on()
        if not part or len(self._message) > LARGEST_MESSAGE:
            self.end()

    def _receive_part(self) -> bytes:
        part, descriptors, _, _ = socket.recv_fds(self._channel, LARGEST_MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        for descriptor in descriptors:
            if self._client is not None:
                self._client.close()
            self._client = socket.socket(fileno=descriptor)
        return part

    def _hand_on(self) -> None:
        client, self._client = self._client, None
        if client is None:
            if self._message == COUNT:
                with suppress(OSError):
                    self._channel.send(orjson.dumps(self._counts()))
            return
        try:
            self._adopt(client, StreamRequest.from_json(self._message))
        except (ValueError, OSError) as error:
            log.warning("a client was not let in: %s", error)
            client.close()


def _refuse(_client: socket.socket, _request: StreamRequest) -> None:
    raise ValueError("this process is full, as it has said")
