"""The platform as a runner knows it: requests with its token, and refusals as the errors they mean here."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote, urlencode

from app.jobs import LeaseLost
from app.kernel.addresses import AddressRules
from app.kernel.errors import HeadraceError, Permanent, Transient
from tasks.gateways.http import Body, HttpClient, Reply, Streamed
from tasks.gateways.wire import Timeouts

PREFIX: Final = "/api/v1"
MOST_ANSWER: Final = 64 * 1024**2
REFUSED: Final = 1024 * 1024
# A runner is told its platform by whoever runs it: wherever that is.
ANYWHERE: Final = AddressRules(allow_private=True, allow_loopback=True)
USUAL: Final = Timeouts(first_byte=30.0, idle=30.0, whole=120.0)
LONG: Final = Timeouts(first_byte=3600.0, idle=60.0, whole=7200.0)
PASSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class TokenRefused(HeadraceError):
    """The platform does not know this runner any more."""

    code = "TOKEN_REFUSED"


class PlatformAway(Transient):
    """The platform does not answer now."""

    code = "PLATFORM_AWAY"


class PlatformRefused(Permanent):
    """The platform refused what the runner asked for."""

    code = "PLATFORM_REFUSED"


class RunnerApi:
    """May be used by several threads; each has a connection of its own."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._local = threading.local()

    def get(self, path: str) -> Any:
        """Return what is there; raises as `post` does."""
        return self._send("GET", path)

    def delete(self, path: str) -> None:
        """Delete; raises as `post` does."""
        self._send("DELETE", path)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Send JSON and return the answer's data. With a `key` it may be sent again and has one effect.

        Raises LeaseLost for an attempt that is another's, TokenRefused, PlatformRefused, and Transient for what passes.
        """
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self._send("POST", path, json.dumps(body or {}).encode(), headers)

    def send_bytes(self, path: str, data: bytes, /, **query: Any) -> Any:
        """Post bytes; raises as `post` does."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._send("POST", with_query(path, query), data, headers)

    def upload(self, path: str, source: Path, /, **query: Any) -> Any:
        """Put a file; raises as `post` does, and OSError."""
        size = source.stat().st_size
        with source.open("rb") as file:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            return self._send("PUT", with_query(path, query), file, headers, LONG)

    @contextmanager
    def download(self, path: str) -> Iterator[IO[bytes]]:
        """Open what is there for reading; raises as `post` does."""
        with self._client().stream("GET", PREFIX + path, headers=self._headers, timeouts=LONG) as answer:
            if answer.status != 200:
                raise _refusal(Reply(answer.status, answer.headers, answer.read(REFUSED)))
            yield _Pieces(answer)  # type: ignore[misc]

    def _send(
        self,
        method: str,
        path: str,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts = USUAL,
    ) -> Any:
        reply = self._client().request(
            method,
            PREFIX + path,
            headers={**self._headers, **(headers or {})},
            body=body,
            max_bytes=MOST_ANSWER,
            timeouts=timeouts,
        )
        if not 200 <= reply.status < 300:
            raise _refusal(reply)
        return _read_data(reply) if reply.body else None

    def _client(self) -> HttpClient:
        client: HttpClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = HttpClient(self._base_url, rules=ANYWHERE)
        return client


class _Pieces:
    """An answer as a file that is read once."""

    def __init__(self, answer: Streamed) -> None:
        self._pieces = answer.pieces()
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while not self._rest:
            piece = next(self._pieces, b"")
            if not piece:
                return b""
            self._rest = piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def with_query(path: str, query: Mapping[str, Any]) -> str:
    """Return the path with its query."""
    return f"{path}?{urlencode(query)}" if query else path


def in_path(text: str) -> str:
    """Return text as a part, or some parts, of a path."""
    return quote(text, safe="/")


def fresh_key() -> str:
    """Return a key that nothing else was sent with."""
    return uuid.uuid4().hex


def _read_data(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)["data"]
    except (ValueError, KeyError, TypeError):
        raise PlatformAway("What answers there is not the platform.") from None


def _refusal(reply: Reply) -> HeadraceError:
    code, message, details = _read_error(reply)
    if reply.status == 401:
        return TokenRefused(message)
    if reply.status in PASSES or code == "IDEMPOTENCY_IN_FLIGHT":
        return PlatformAway(message, retry_after=_seconds(reply))
    is_gone = reply.status == 404 and details.get("resource_type") == "job"
    if is_gone or code in ("LEASE_LOST", "RUNNER_DISABLED"):
        return LeaseLost(message)
    return PlatformRefused(f"{message} ({code})", refusal=details)


def _read_error(reply: Reply) -> tuple[str, str, dict[str, Any]]:
    try:
        error = json.loads(reply.body)["error"]
        faults = "".join(f" {one['field']}: {one['message']}" for one in error.get("errors", ()))
        return str(error["code"]), f"{error['message']}{faults}"[:1000], dict(error["details"])
    except (ValueError, KeyError, TypeError):
        return "UNKNOWN", f"The platform answered with {reply.status}.", {}


def _seconds(reply: Reply) -> float:
    try:
        return min(max(float(reply.headers.get("retry-after", "2")), 1.0), 60.0)
    except ValueError:
        return 2.0
