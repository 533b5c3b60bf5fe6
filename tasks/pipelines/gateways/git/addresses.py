"""Which addresses git may be given, and where their hosts lead: looked up here once, checked, and pinned for git."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import SplitResult, urlsplit

from app.kernel.addresses import is_private_host
from app.tenancy import RepositoryRules, find_url_fault
from tasks.pipelines.gateways.base import RepositoryRefused, RepositoryUnreachable
from tasks.pipelines.gateways.git.bounds import POLL_SECONDS, Bounds

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Route:
    """How git gets to a repository: by which protocol, and which addresses its host name must lead to."""

    protocol: str
    pins: tuple[str, ...]


def find_route(url: str, rules: RepositoryRules, bounds: Bounds) -> Route:
    """Check an address and look its host up; raises RepositoryRefused, RepositoryUnreachable, or what the bounds do."""
    fault = find_url_fault(url, rules)
    if fault is not None:
        raise RepositoryRefused(f"The repository's address {fault}.")
    parts = urlsplit(url)
    protocol = parts.scheme.lower() if "://" in url else "ssh"
    if protocol == "ssh":
        raise RepositoryRefused("Repositories by ssh cannot be checked out yet; use the https address.")
    if protocol == "file" or rules.allow_private:
        return Route(protocol, ())
    return Route(protocol, _pin(parts, bounds))


def _pin(parts: SplitResult, bounds: Bounds) -> tuple[str, ...]:
    """Without pins a name server could answer us with a public address, and git a moment later with a private one."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme.lower()]
    addresses = _look_up(host, port, bounds)
    if any(is_private_host(address) for address in addresses):
        raise RepositoryRefused(f"The repository's host {host} is on a private network, which is not allowed here.")
    names = {host, host.rstrip(".")}
    return tuple(f"{name}:{port}:{','.join(_bracketed(addresses))}" for name in sorted(names) if ":" not in name)


def _look_up(host: str, port: int, bounds: Bounds) -> list[str]:
    """In a thread of its own: a name server that is away holds the call for half a minute, uninterruptibly."""
    answers: SimpleQueue[list[str]] = SimpleQueue()
    Thread(target=lambda: answers.put(_ask(host, port)), name="look-up", daemon=True).start()
    while True:
        bounds.keep()
        with suppress(Empty):
            addresses = answers.get(timeout=POLL_SECONDS)
            break
    if not addresses:
        raise RepositoryUnreachable(f"The repository's host {host} cannot be found.")
    return addresses


def _ask(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _bracketed(addresses: Sequence[str]) -> list[str]:
    return [f"[{address}]" if ":" in address else address for address in addresses]
