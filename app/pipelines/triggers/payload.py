"""Reading payloads without believing them: what is missing or of another type reads as nothing, text is cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

LONGEST_TEXT: Final = 1000
LONGEST_MESSAGE: Final = 20_000
MOST_ITEMS: Final = 3000
LARGEST: Final = 2**31 - 1
# PostgreSQL takes no NUL; and a name that held one is to be refused still, as for any control character.
SUBSTITUTE: Final = "\x1a"

FORM: Final = "application/x-www-form-urlencoded"

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class MalformedPayload(ValueError):
    """The body is not a delivery."""


class Payload:
    """A value of a payload, whatever it is."""

    def __init__(self, value: object) -> None:
        self._value = value

    def at(self, *path: str) -> Payload:
        """Return what is at a path of keys."""
        return Payload(self._find(path))

    def text(self, *path: str, most: int = LONGEST_TEXT) -> str:
        """Return a text, cut; empty where there is none."""
        value = self._find(path)
        return value[:most].replace("\0", SUBSTITUTE) if isinstance(value, str) else ""

    def number(self, *path: str) -> int | None:
        """Return a number from 1 on."""
        value = self._find(path)
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST else None

    def flag(self, *path: str) -> bool | None:
        """Return a truth."""
        value = self._find(path)
        return value if isinstance(value, bool) else None

    def items(self, *path: str) -> Iterator[Payload]:
        """Yield the items of a list, some thousands at most."""
        value = self._find(path)
        yield from map(Payload, value[:MOST_ITEMS] if isinstance(value, list) else ())

    def commit_id(self, *path: str) -> str | None:
        """Return the id of a commit; the one of zeros is none."""
        found = self.text(*path).lower()
        return found if _COMMIT.fullmatch(found) and found.strip("0") else None

    def is_list(self, *path: str) -> bool:
        """Tell whether a list is there."""
        return isinstance(self._find(path), list)

    def _find(self, path: tuple[str, ...]) -> Any:
        value: Any = self._value
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def read_payload(body: bytes, content_type: str) -> Payload:
    """Return the payload of a body: JSON, or a form whose field `payload` is JSON. Raises MalformedPayload."""
    try:
        text: str | bytes = _field(body) if content_type == FORM else body
        value = orjson.loads(text)
    except (ValueError, KeyError, IndexError):
        raise MalformedPayload("The body is not a payload in JSON.") from None
    if not isinstance(value, dict):
        raise MalformedPayload("The payload is not a JSON object.")
    return Payload(value)


def _field(body: bytes) -> str:
    fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10, errors="strict")
    return fields["payload"][0]
