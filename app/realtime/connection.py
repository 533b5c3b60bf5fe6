"""A client's socket in the event loop. Nothing waits here: what the kernel does not take is kept until it does."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Protocol

HEARD_AT_ONCE = 16 * 1024
UNSENT_BYTES = 128 * 1024
UNANSWERED_MILLISECONDS = 30_000
LINGER_SECONDS = 2.0
LAST_WORDS_SECONDS = 10.0


class Owner(Protocol):
    """Whose connection it is."""

    def hear(self, data: bytes) -> None:
        """Take what the client has sent."""

    def gone(self) -> None:
        """Be told, once, that the client has left or was dropped."""


class Connection:
    """One client."""

    __slots__ = ("_drained", "_finished", "_loop", "_owner", "_socket", "_unsent", "sends")

    def __init__(self, loop: asyncio.AbstractEventLoop, client: socket.socket, owner: Owner) -> None:
        self._loop = loop
        self._socket = client
        self._owner = owner
        self._unsent = b""
        self._finished = False
        self._drained: asyncio.Future[None] | None = None
        self.sends = 0
        _prepare(client)
        loop.add_reader(client.fileno(), self._hear)

    @property
    def is_ready(self) -> bool:
        """Whether the kernel took all that was sent so far."""
        return not self._unsent

    @property
    def is_closed(self) -> bool:
        """Whether the client is gone."""
        return self._socket.fileno() < 0

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will be sent."""
        return self._finished or self.is_closed

    def send(self, data: bytes) -> None:
        """Send now what the kernel takes, the rest when it can. Callers ask `is_ready` first, which bounds the rest."""
        if self._finished:
            return
        if self._unsent:
            self._unsent += data
            return
        sent = self._write(data)
        if 0 <= sent < len(data):
            self._unsent = data[sent:]
            self._loop.add_writer(self._socket.fileno(), self._flush)

    def finish(self, data: bytes) -> None:
        """Send the last words, then close in good order; a client that does not take them is dropped."""
        if self._finished:
            return
        self.send(data)
        self._finished = True
        self.listen()
        if self._unsent:
            self._loop.call_later(LAST_WORDS_SECONDS, self.drop)
        else:
            self._say_goodbye()

    async def drained(self) -> None:
        """Wait until the kernel took everything; cancelled when the client leaves."""
        if self._unsent:
            self._drained = self._drained or self._loop.create_future()
            # Several may wait for it: that one of them is cancelled is nothing to the others.
            await asyncio.shield(self._drained)

    def stop_listening(self) -> None:
        """Leave what the client says where it is: once the kernel's buffer is full, the client has to wait."""
        if not self.is_closed:
            self._loop.remove_reader(self._socket.fileno())

    def listen(self) -> None:
        """Hear the client again."""
        if not self.is_closed:
            self._loop.add_reader(self._socket.fileno(), self._hear)

    def drop(self) -> None:
        """Close at once."""
        if self.is_closed:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        if self._drained is not None:
            self._drained.cancel()
        self._owner.gone()

    def _write(self, data: bytes) -> int:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.drop()
            return -1
        self.sends += 1
        return sent

    def _flush(self) -> None:
        sent = self._write(self._unsent)
        if sent < 0:
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            return
        self._loop.remove_writer(self._socket.fileno())
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None
        if self._finished:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        # Closing with unread bytes in our buffer would reset the connection and may cost the client the last words.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._loop.call_later(LINGER_SECONDS, self.drop)

    def _hear(self) -> None:
        try:
            heard = self._socket.recv(HEARD_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self.drop()
        elif not self._finished:
            self._owner.hear(heard)


def _prepare(client: socket.socket) -> None:
    client.setblocking(False)
    # gunicorn may itself listen on a Unix socket, which knows none of these.
    with suppress(OSError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_NOTSENT_LOWAT", UNSENT_BYTES), ("TCP_USER_TIMEOUT", UNANSWERED_MILLISECONDS)):
        with suppress(OSError, AttributeError):
            client.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
