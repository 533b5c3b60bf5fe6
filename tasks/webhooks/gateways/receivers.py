"""Receivers of webhooks: a signed request each, and of the answer its status and first 16 KiB. Connections are kept
for a while, so that a busy receiver is not connected to anew for each event."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from app.kernel.clock import utc_now
from app.webhooks import Answer, Destinations, Order, sign
from tasks.gateways import DestinationRefused, HttpClient, OutgoingError, Streamed, Timeouts, TooSlow, make_tls

KEPT_BYTES: Final = 16 * 1024
MOST_ANSWER_HEADERS: Final = 50
LONGEST_HEADER: Final = 1000
KEPT_SECONDS: Final = 10.0
MOST_KEPT: Final = 256
CONNECT_SECONDS: Final = 5.0
REDIRECTED: Final = "REDIRECT_NOT_FOLLOWED"
REFUSED: Final = "RECEIVER_REFUSED"


@dataclass(slots=True)
class _Line:
    """A connection to a receiver, and until when a request on it may last."""

    client: HttpClient
    ends: list[float]
    kept_at: float = 0.0


@dataclass(slots=True)
class Receivers:
    """Sends what is ordered. `timeout` is in seconds, for a whole request from its connection to the end of its
    answer's head. Threads may share it."""

    destinations: Destinations
    timeout: float
    _tls: ssl.SSLContext | None = None
    _kept: dict[tuple[UUID, str], list[_Line]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def send(self, order: Order) -> Answer:
        """Send an event and return what came of it; never raises what a receiver can cause."""
        began = time.monotonic()
        headers = _headers(order)
        said: dict[str, Any] = {"request_headers": _shown(order, headers)}
        try:
            self._refuse(order.url)
            said |= self._ask(order, headers, began)
        except OutgoingError as error:
            said |= {"code": error.code, "error": error.message}
        milliseconds = (time.monotonic() - began) * 1000
        return Answer(order.delivery_id, order.attempt, order.webhook_id, milliseconds, **said)

    def close(self) -> None:
        """End the connections that are kept."""
        with self._lock:
            kept, self._kept = self._kept, {}
        for line in (one for some in kept.values() for one in some):
            line.client.close()

    def _refuse(self, url: str) -> None:
        """What was allowed when it was written may not be any more."""
        if fault := self.destinations.find_fault(url):
            raise DestinationRefused(f"The receiver's address {fault}.")

    def _ask(self, order: Order, headers: Mapping[str, str], began: float) -> dict[str, Any]:
        line = self._take(order)
        line.ends[0] = began + self.timeout
        parts = urlsplit(order.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with line.client.stream("POST", target, headers=headers, body=order.body) as answer:
                said = _read(answer)
        except BaseException:
            line.client.close()
            raise
        self._keep(order, line)
        return said

    def _take(self, order: Order) -> _Line:
        with self._lock:
            lines = self._kept.get((order.webhook_id, order.url), [])
            line = lines.pop() if lines else None
        if line is not None:
            if time.monotonic() - line.kept_at < KEPT_SECONDS:
                return line
            line.client.close()
        return self._open(order.url)

    def _open(self, url: str) -> _Line:
        ends = [0.0]

        def keep() -> None:
            if time.monotonic() > ends[0]:
                raise TooSlow

        parts = urlsplit(url)
        limits = Timeouts(min(CONNECT_SECONDS, self.timeout), self.timeout, self.timeout, self.timeout)
        client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            rules=self.destinations.addresses,
            tls=self._trust() if parts.scheme == "https" else None,
            timeouts=limits,
            keep=keep,
        )
        return _Line(client, ends)

    def _trust(self) -> ssl.SSLContext:
        """Whom to trust; made once, for reading all authorities takes longer than a request."""
        with self._lock:
            self._tls = self._tls or make_tls()
            return self._tls

    def _keep(self, order: Order, line: _Line) -> None:
        line.kept_at = time.monotonic()
        with self._lock:
            if sum(map(len, self._kept.values())) < MOST_KEPT:
                self._kept.setdefault((order.webhook_id, order.url), []).append(line)
                return
        line.client.close()


def _headers(order: Order) -> dict[str, str]:
    """A retry is signed anew, with its own time: receivers refuse what is old."""
    timestamp = int(utc_now().timestamp())
    return {
        **order.headers,
        **({"headrace-test": "true"} if order.is_test else {}),
        "Content-Type": "application/json",
        "User-Agent": "Headrace-Webhooks/1.0",
        "webhook-id": str(order.event_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(order.keys, str(order.event_id), timestamp, order.body),
    }


def _shown(order: Order, headers: Mapping[str, str]) -> dict[str, str]:
    """What the log keeps: of the owner's own headers the names, for their values may let in."""
    return {name: "…" if name in order.headers else value for name, value in headers.items()}


def _read(answer: Streamed) -> dict[str, Any]:
    headers = dict(list(answer.headers.items())[:MOST_ANSWER_HEADERS])
    body, is_truncated = _read_beginning(answer)
    said: dict[str, Any] = {
        "status": answer.status,
        "headers": {_text(name)[:LONGEST_HEADER]: _text(value)[:LONGEST_HEADER] for name, value in headers.items()},
        "body": _text(body.decode("utf-8", "replace")),
        "is_truncated": is_truncated,
    }
    if 200 <= answer.status < 300:
        return said
    code = REDIRECTED if 300 <= answer.status < 400 else REFUSED
    why = f"The receiver answered {answer.status}."
    return said | {"code": code, "error": why, "retry_after": _retry_after(answer.headers.get("retry-after"))}


def _read_beginning(answer: Streamed) -> tuple[bytes, bool]:
    """The status has told already; an answer that goes on and on, or stops, changes nothing."""
    body = b""
    with suppress(OutgoingError):
        for piece in answer.pieces():
            body += piece
            if len(body) > KEPT_BYTES:
                return body[:KEPT_BYTES], True
        return body, False
    return body[:KEPT_BYTES], True


def _text(value: str) -> str:
    # PostgreSQL keeps no NUL.
    return value.replace("\x00", "�")


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110), a number or a date; None for none and for junk."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max((parsedate_to_datetime(value) - utc_now()).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None
