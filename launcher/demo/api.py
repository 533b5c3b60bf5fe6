"""The public API over plain HTTP: requests with the envelope taken off, and server-sent events that survive a break."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from launcher.output import printable
from launcher.processes import LaunchError

REPLY_SECONDS = 60.0
# The server sends a comment each 15 seconds; twice as long without one means that nobody is there.
SILENCE_SECONDS = 45.0
LOST_SECONDS = 60.0
PAUSE_SECONDS = 1.0


class Refused(LaunchError):
    """The API answered with an error."""

    def __init__(self, call: str, status: int, body: dict[str, Any]) -> None:
        error = body.get("error") or {}
        lines = [
            f"{call} was answered with {status} {error.get('code', '')}: {error.get('message', 'no reason given')}"
        ]
        lines += [f"  {fault.get('field')}: {fault.get('message')}" for fault in error.get("errors") or []]
        super().__init__(printable("\n".join(lines)))
        self.status = status


class ContactLost(LaunchError):
    """The API does not answer any more."""


@dataclass(frozen=True)
class Reply:
    """A success: `data` of the envelope, with the status line and the headers."""

    status_line: str
    headers: dict[str, str]
    data: Any


@dataclass(frozen=True)
class Event:
    """A server-sent event; `data` is its JSON."""

    id: str
    type: str
    data: dict[str, Any]


@dataclass
class Api:
    """One caller of the API at `base`; `renew` gets a new access token when the old one has run out."""

    base: str
    token: str = ""
    renew: Callable[[], str] | None = None
    _host: str = field(init=False)

    def __post_init__(self) -> None:
        self._host = urlsplit(self.base).netloc

    def get(self, path: str) -> Reply:
        """GET of a path under /api/v1."""
        return self._request("GET", path, b"", {})

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """POST of JSON, or of bytes whose content type is among the headers (written with underscores)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return self._request("POST", path, body, named)
        return self._request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **named})

    def follow(self, path: str, last_id: str = "") -> Iterator[Event]:
        """Each event after `last_id` exactly once, up to the stream's end, over however many connections that takes.

        Raises Refused, and ContactLost when there has been no word for about two minutes.
        """
        heard = time.monotonic()
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                for event in self._stream(path, last_id):
                    heard = time.monotonic()
                    if event.type == "end":
                        return
                    last_id = event.id or last_id
                    yield event
            if time.monotonic() - heard > LOST_SECONDS + SILENCE_SECONDS:
                raise ContactLost(f"the stream {path} stays silent")
            time.sleep(PAUSE_SECONDS)

    def _stream(self, path: str, last_id: str) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        with contextlib.closing(self._connect(SILENCE_SECONDS)) as connection:
            response = self._send(connection, "GET", path, b"", headers)
            if response.status == 401 and self._renewed():
                return
            if response.status >= 500:
                raise http.client.BadStatusLine(str(response.status))
            if response.status != 200:
                raise Refused(f"GET {path}", response.status, _json(response.read()))
            yield from read_events(response)

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        with contextlib.closing(self._connect(REPLY_SECONDS)) as connection:
            try:
                response = self._send(connection, method, path, body, headers)
                content = _json(response.read())
            except (OSError, http.client.HTTPException) as error:
                raise ContactLost(f"{method} {self.base}/api/v1{path} got no answer: {error}") from error
        if response.status == 401 and self._renewed():
            return self._request(method, path, body, headers)
        if response.status >= 300:
            raise Refused(f"{method} {path}", response.status, content)
        status_line = f"HTTP/{response.version / 10:.1f} {response.status} {response.reason}"
        return Reply(status_line, dict(response.headers.items()), content.get("data"))

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, timeout=seconds)

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection.request(method, f"/api/v1{path}", body or None, {**headers, **authorization})
        return connection.getresponse()

    def _renewed(self) -> bool:
        if not self.renew:
            return False
        renew, self.renew, self.token = self.renew, None, ""
        self.token = renew()
        self.renew = renew
        return True


def read_events(lines: http.client.HTTPResponse) -> Iterator[Event]:
    """Events as https://html.spec.whatwg.org/multipage/server-sent-events.html has them; one cut short is dropped."""
    fields: dict[str, str] = {}
    while line := lines.readline():
        name, _, value = line.decode(errors="replace").rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if not line.strip():
            if "data" in fields:
                yield Event(fields.get("id", ""), fields.get("event", "message"), _json(fields["data"].encode()))
            fields = {}
        elif name == "data" and "data" in fields:
            fields["data"] += "\n" + value
        elif name:
            fields[name] = value


def _json(content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
