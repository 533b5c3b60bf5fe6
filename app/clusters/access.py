"""What opens a cluster's API server, checked as text: no look-up, no connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

from app.clusters.certificates import find_authority_fault, find_client_fault, find_key_fault
from app.kernel.addresses import AddressRules, Reach, find_reach, read_address
from app.kernel.errors import FieldError

LONGEST_SERVER: Final = 2048
LONGEST_TOKEN: Final = 16384

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_PATH: Final = re.compile(r"[A-Za-z0-9/._~-]*")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an API server and as whom. `ca`, `certificate` and `key` are PEM; without `ca` the system's
    authorities are trusted. `server_name` is the name in the server's certificate, where the URL has another.

    `token_maker` is what short-lived tokens are made of, each time it is opened; only providers give it.
    """

    server: str
    ca: str | None = None
    token: str | None = field(default=None, repr=False)
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    server_name: str | None = None
    verify: bool = True
    token_maker: Mapping[str, str] | None = field(default=None, repr=False)

    def to_json(self) -> bytes:
        """Return all of it, secrets included: for the vault and nowhere else."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, stored: bytes) -> Access:
        """Return what `to_json` was given."""
        return cls(**json.loads(stored))


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What an installation allows: which addresses, servers whose certificate is not verified, and plain http on this
    machine."""

    addresses: AddressRules = field(default_factory=AddressRules)
    allow_unverified: bool = False
    allow_http: bool = False


def find_access_faults(access: Access, rules: AccessRules, now: datetime) -> list[FieldError]:
    """Return what is wrong with an access; the fields are those of `Access`. No message holds a secret."""
    return [FieldError(name, message) for name, message in _faults(access, rules, now) if message]


def _faults(access: Access, rules: AccessRules, now: datetime) -> Iterator[tuple[str, str | None]]:
    yield "server", _find_server_fault(access.server, rules)
    if access.server_name is not None and not _is_host(access.server_name):
        yield "server_name", "is not a valid host name"
    if access.ca is not None:
        yield "ca", find_authority_fault(access.ca, now)
    if not access.verify:
        yield "verify", _find_unverified_fault(access, rules)
    if access.token is None and access.certificate is None:
        yield "token", "is missing: give a token, or a client certificate and its key"
    if access.token is not None:
        yield "token", _find_token_fault(access.token)
    yield from _client_faults(access, now)


def _client_faults(access: Access, now: datetime) -> Iterator[tuple[str, str | None]]:
    if access.certificate is None:
        if access.key is not None:
            yield "certificate", "is missing beside its key"
        return
    fault = find_client_fault(access.certificate, now)
    yield "certificate", fault
    if access.key is None:
        yield "key", "is missing beside its certificate"
    else:
        yield "key", find_key_fault(access.key, None if fault else access.certificate)


def _find_unverified_fault(access: Access, rules: AccessRules) -> str | None:
    if not rules.allow_unverified:
        return "must not be skipped: this installation verifies every server's certificate"
    return "must not be skipped where a certificate authority is given" if access.ca is not None else None


def _find_token_fault(token: str) -> str | None:
    if not 0 < len(token) <= LONGEST_TOKEN:
        return f"must have 1 to {LONGEST_TOKEN} characters"
    return None if _TOKEN.fullmatch(token) else "must be printable ASCII without spaces"


def _find_server_fault(server: str, rules: AccessRules) -> str | None:
    if len(server) > LONGEST_SERVER:
        return f"must not be longer than {LONGEST_SERVER} characters"
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        return "is not a well-formed URL"
    if port == 0:
        return "has no usable port"
    return _find_form_fault(parts, server) or _find_place_fault(parts, rules)


def _find_form_fault(parts: SplitResult, server: str) -> str | None:
    if parts.scheme not in ("https", "http") or not server.isascii() or not server.isprintable():
        return "must be an https URL"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if "?" in server or "#" in server:
        return "must not have a query or a fragment"
    if not _is_host(parts.hostname or ""):
        return "has no valid host name"
    return None if _PATH.fullmatch(parts.path) and ".." not in parts.path else "has a path that is not allowed"


def _find_place_fault(parts: SplitResult, rules: AccessRules) -> str | None:
    host = parts.hostname or ""
    if parts.scheme == "http" and not (rules.allow_http and find_reach(host) is Reach.LOOPBACK):
        return "must be an https URL"
    return rules.addresses.find_fault(host)


def _is_host(host: str) -> bool:
    if ":" in host:
        return "%" not in host and read_address(host) is not None
    return len(host) <= 253 and bool(_HOST.fullmatch(host))
