"""The one form of what providers say, and what reading theirs takes. All of it comes from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

LONGEST_REASON: Final = 500
LONGEST_URL: Final = 2000
LONGEST_KEY: Final = 200


class Unsigned(ValueError):
    """Whoever has sent this is not the provider."""


class Unreadable(ValueError):
    """This is nothing that the provider says."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came: the names of `headers` in small letters, and `now` in seconds since 1970."""

    headers: Mapping[str, str]
    body: bytes
    now: float


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is said of a mail. The mail is found by `mail_id`, which is ours, or by the provider's own
    `message_id`; `key` tells what is said of it apart. `is_permanent` is a bounce after which nothing should be sent to
    the address any more."""

    kind: str
    key: str
    address: str
    mail_id: UUID | None = None
    message_id: str | None = None
    happened_at: datetime | None = None
    reason: str | None = None
    url: str | None = None
    is_permanent: bool = False


class Source(Protocol):
    """A kind of provider: a module."""

    def verify(self, settings: Mapping[str, Any], incoming: Incoming) -> str | None:
        """Return by what a request counts once, None where it may come again; raises Unsigned."""

    def read(self, body: bytes) -> list[Said]:
        """Return what is said; raises Unreadable."""


def parse(body: bytes) -> Any:
    """Return parsed JSON; raises Unreadable."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable("The body is not JSON.") from error


def map_of(value: Any) -> Mapping[str, Any]:
    """Return a map, an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a list, an empty one for what is none."""
    return value if isinstance(value, list) else []


def line_of(value: Any, longest: int = LONGEST_REASON) -> str:
    """Return a text or number as one line that can be kept, an empty one for what is neither."""
    text = str(value) if isinstance(value, str | int | float) else ""
    return "".join(one if one.isprintable() else " " for one in text)[:longest].strip()


def id_of(value: Any) -> UUID | None:
    """Return the id that a text is, if it is one."""
    try:
        return UUID(line_of(value, 36))
    except ValueError:
        return None


def moment_of(value: Any) -> datetime | None:
    """Return the moment that seconds since 1970, or a text in the form of RFC 3339, stand for."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        return read.astimezone(UTC) if read is not None and read.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
