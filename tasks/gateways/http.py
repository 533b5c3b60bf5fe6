"""Requests to servers of others: deadlines for connecting, the first byte and all of it, answers read up to a limit,
no redirects, no proxies, no cookies, no compression."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final, cast
from urllib.parse import SplitResult, urlsplit

from app.kernel.addresses import AddressRules
from tasks.gateways.errors import AnswerTooLarge, AnswerUnreadable, Unreachable
from tasks.gateways.lookup import Keep
from tasks.gateways.websocket import WebSocket, open_websocket
from tasks.gateways.wire import Destination, Timeouts, Wire, open_wire

_PORTS: Final = {"http": 80, "https": 443}
_PIECE: Final = 256 * 1024

Body = bytes | IO[bytes] | None
"""A file goes out as it is read; its length is to be among the headers."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Streamed:
    """An answer that is read while it comes."""

    def __init__(self, status: int, headers: Mapping[str, str], response: http.client.HTTPResponse) -> None:
        self.status = status
        self.headers = headers
        self._response = response

    def read(self, max_bytes: int) -> bytes:
        """Return the rest; raises AnswerTooLarge."""
        return _read(self._response, max_bytes)

    def pieces(self) -> Iterator[bytes]:
        """Yield what comes, as it comes; ends where the server ends it."""
        with _readable():
            while piece := self._response.read1(_PIECE):
                yield piece
            if not self._response.length:
                # Which read1 alone does not notice: the connection can be kept.
                self._response.close()

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield whole lines without their ends; raises AnswerTooLarge for one longer than `longest` bytes."""
        rest = b""
        for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > longest:
                raise AnswerTooLarge(f"A line of the server's answer is longer than {longest} bytes.")
            yield from lines
        if rest:
            yield rest


class HttpClient:
    """One server, asked by one thread; its connection is kept for the next request. `keep` is called at least every
    quarter second of waiting, and what it raises ends the request.

    The address `unix:///path` is a Unix socket: such an address comes from an operator alone, never from a user.
    """

    def __init__(
        self,
        base_url: str,
        *,
        rules: AddressRules,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        timeouts: Timeouts | None = None,
        keep: Keep = lambda: None,
    ) -> None:
        parts = urlsplit(base_url)
        self._destination = _destination_of(parts, tls, server_name)
        self._prefix = "" if self._destination.socket_path else parts.path.rstrip("/")
        self._rules = rules
        self._timeouts = timeouts or Timeouts()
        self._keep = keep
        self._idle: Wire | None = None

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        max_bytes: int,
        timeouts: Timeouts | None = None,
    ) -> Reply:
        """Send a request and return the whole answer, whatever its status; raises an OutgoingError."""
        with self.stream(method, target, headers=headers, body=body, timeouts=timeouts) as answer:
            return Reply(answer.status, answer.headers, answer.read(max_bytes))

    @contextmanager
    def stream(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        timeouts: Timeouts | None = None,
    ) -> Iterator[Streamed]:
        """Send a request and yield the answer once its head is there; raises an OutgoingError, also while it is read.

        A connection whose answer was not read to its end is closed.
        """
        limits = timeouts or self._timeouts
        wire = self._take_wire(limits)
        response: http.client.HTTPResponse | None = None
        kept = False
        try:
            began = time.monotonic()
            wire.begin(began + limits.first_byte, limits.first_byte)
            response = self._send(wire, method, target, headers or {}, body)
            wire.begin(began + limits.whole, limits.idle)
            yield Streamed(response.status, {name.lower(): value for name, value in response.getheaders()}, response)
            kept = response.isclosed() and not response.will_close
        finally:
            if response is not None:
                response.close()
            self._put_wire(wire if kept else None, wire)

    def upgrade(
        self, target: str, *, headers: Mapping[str, str], protocols: Sequence[str], max_bytes: int
    ) -> WebSocket:
        """Open a WebSocket, on a connection of its own, whose messages have at most `max_bytes`; raises an
        OutgoingError, UpgradeRefused among them."""
        limits, there = self._timeouts, self._destination
        wire = open_wire(there, self._rules, limits.connect, self._keep)
        host = f"[{there.host}]" if ":" in there.host else there.host
        uri = f"{'ws' if there.tls is None else 'wss'}://{host}:{there.port}{self._prefix}{target}"
        wire.begin(time.monotonic() + limits.first_byte, limits.first_byte)
        try:
            return open_websocket(wire, uri, headers=headers, protocols=protocols, max_bytes=max_bytes)
        except BaseException:
            wire.hang_up()
            raise

    def close(self) -> None:
        """End the connection that is kept."""
        if self._idle is not None:
            self._idle.hang_up()
            self._idle = None

    def _take_wire(self, limits: Timeouts) -> Wire:
        wire, self._idle = self._idle, None
        if wire is not None:
            if not wire.is_stale():
                return wire
            wire.hang_up()
        return open_wire(self._destination, self._rules, limits.connect, self._keep)

    def _put_wire(self, kept: Wire | None, wire: Wire) -> None:
        if kept is None or self._idle is not None:
            wire.hang_up()
        else:
            self._idle = kept

    def _send(
        self, wire: Wire, method: str, target: str, headers: Mapping[str, str], body: Body
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._destination.host, self._destination.port, blocksize=_PIECE)
        connection.auto_open = 0  # it must never connect by itself: that would go around the rules
        connection.sock = cast("ssl.SSLSocket", wire)
        with _readable():
            connection.request(method, self._prefix + target, body=body, headers=self._headers(headers))
            return connection.getresponse()

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {"Accept-Encoding": "identity", "User-Agent": "headrace", **headers}


def _destination_of(parts: SplitResult, tls: ssl.SSLContext | None, server_name: str | None) -> Destination:
    if parts.scheme == "unix":
        return Destination("localhost", 80, None, "", socket_path=parts.path)
    host = parts.hostname or ""
    context = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
    return Destination(host, parts.port or _PORTS[parts.scheme], context, server_name or host)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (http.client.IncompleteRead, http.client.RemoteDisconnected) as error:
        raise _lost() from error
    except (http.client.HTTPException, ValueError) as error:
        raise AnswerUnreadable from error


def _read(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    too_large = AnswerTooLarge(f"The server's answer is larger than {max_bytes} bytes.")
    if response.length is not None and response.length > max_bytes:
        raise too_large
    pieces: list[bytes] = []
    size = 0
    with _readable():
        while piece := response.read(min(_PIECE, max_bytes + 1 - size)):
            pieces.append(piece)
            size += len(piece)
            if size > max_bytes:
                raise too_large
    if response.length:
        raise _lost()
    return b"".join(pieces)


def _lost() -> Unreachable:
    return Unreachable("The server ended the connection before the end of its answer.")
