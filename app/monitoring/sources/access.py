"""What leads to a source, checked as text: no look-up, no connection. And what is asked of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from app.kernel.addresses import AddressRules
from app.kernel.errors import FieldError, Invalid
from app.monitoring.language import Selector, parse
from app.monitoring.naming import find_name_fault

LONGEST_URL: Final = 2000
MOST_QUERIES: Final = 50

_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_PATH: Final = re.compile(r"[A-Za-z0-9/._~-]*")


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """How to reach a Prometheus and as whom: with a bearer token, a user and a password, or neither."""

    url: str
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def to_json(self) -> bytes:
        """Return all of it, secrets included: for the vault and nowhere else."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, stored: bytes) -> SourceAccess:
        """Return what `to_json` was given."""
        return cls(**json.loads(stored))


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of a source. One that `is_plain` selects series, whose samples come as they are; of any other the values
    at each step are kept, under `name`."""

    query: str
    name: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it selects series and does nothing with them."""
        return _is_selector(self.query)


def read_asked(queries: Iterable[Mapping[str, Any]]) -> list[Asked]:
    """Return what is stored of a source's queries."""
    return [Asked(one["query"], one.get("name")) for one in queries]


def check_asked(queries: Iterable[Mapping[str, Any]]) -> None:
    """Raise Invalid where a query needs a name, or has one that no series can have."""
    faults = []
    for index, one in enumerate(read_asked(queries)):
        fault = find_name_fault(one.name) if one.name is not None else None
        if one.name is None and not one.is_plain:
            fault = "Is missing: what is worked out is kept under a name; only plain series keep theirs."
        if fault:
            faults.append(FieldError(f"queries.{index}.name", fault))
    if faults:
        raise Invalid(errors=faults)


def find_url_fault(url: str, rules: AddressRules) -> str | None:
    """Return why a source cannot be there, or None. Where a name leads is judged at each request."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not an address"
    if len(url) > LONGEST_URL or parts.scheme not in ("http", "https") or port == 0:
        return "must be an address such as https://prometheus.example.com"
    if "@" in parts.netloc or "?" in url or "#" in url:
        return "must hold neither a user, nor a query, nor a fragment"
    if not _HOST.fullmatch(parts.hostname or "") or not _PATH.fullmatch(parts.path) or ".." in parts.path:
        return "has no valid host, or a path that is not allowed"
    if parts.scheme == "http" and not rules.allow_private:
        return "must begin with https://"
    return rules.find_fault(parts.hostname or "")


def _is_selector(query: str) -> bool:
    try:
        said = parse(query)
    except Invalid:
        return False
    return isinstance(said, Selector) and said.seconds is None
