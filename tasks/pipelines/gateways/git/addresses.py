"""Which addresses git may be given, and where their hosts lead: looked up here once, checked, and pinned for git."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from app.kernel.addresses import is_private_host
from app.tenancy import RepositoryRules, find_url_fault
from tasks.gateways import look_up
from tasks.pipelines.gateways.base import RepositoryRefused, RepositoryUnreachable
from tasks.pipelines.gateways.git.bounds import Bounds

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
    addresses = look_up(host, port, bounds.keep)
    if not addresses:
        raise RepositoryUnreachable(f"The repository's host {host} cannot be found.")
    return addresses


def _bracketed(addresses: Sequence[str]) -> list[str]:
    return [f"[{address}]" if ":" in address else address for address in addresses]
