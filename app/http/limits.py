"""Rate limits of HTTP callers: by user, by address, and by what a route names; the tightest one goes into headers."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from flask import g, request

from app.http.metrics import UNLIMITED
from app.http.platform import platform
from app.http.rate_limiter import Standing
from app.kernel.errors import RateLimited
from app.kernel.principal import Principal


def count_caller(caller: Principal, name: str = "user") -> None:
    """Count a request of a caller who is known, each key by itself; raises RateLimited."""
    _count(name, str(caller.counted_as))


def count_address() -> None:
    """Count a request of a caller who is not logged in, by address; raises RateLimited."""
    _count("anonymous", caller_network())


def limit_caller(name: str) -> None:
    """Count a request against the limit `name`, per caller, wherever they are; raises RateLimited."""
    _count(name, str(g.principal.counted_as))


def limit_rate(name: str, subject: str = "") -> None:
    """Count a request against the limit `name` (`login`, `register`, `client`, `webhook` …), per address and `subject`.

    Raises RateLimited. `subject` is what is tried, such as the account's name.
    """
    _count(name, f"{caller_network()}:{subject.lower()}")


def _count(name: str, subject: str) -> None:
    parts = platform()
    if not parts.limited:
        return
    standing = parts.limiter.hit(f"{name}:{subject}", parts.limits[name])
    if standing is None:
        UNLIMITED.inc()
        return
    known: Standing | None = g.get("standing")
    if known is None or standing.remaining < known.remaining:
        g.standing = standing
    if standing.retry_after:
        raise _refusal(standing)


def _refusal(standing: Standing) -> RateLimited:
    return RateLimited(
        headers={"Retry-After": str(standing.retry_after)},
        limit=standing.limit.amount,
        window=standing.limit.get_expiry(),
        retry_after=standing.retry_after,
    )


def rate_headers(standing: Standing) -> list[tuple[str, str]]:
    """Return the headers that tell a caller how it stands."""
    return [
        ("X-RateLimit-Limit", str(standing.limit.amount)),
        ("X-RateLimit-Remaining", str(standing.remaining)),
        ("X-RateLimit-Reset", str(standing.reset)),
    ]


def caller_network() -> str:
    """Return the caller's address; of IPv6 the network, for one machine owns as many addresses of it as it likes."""
    try:
        address = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
