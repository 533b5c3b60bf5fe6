"""Where webhooks may be sent, and when: what an installation allows and how patient it is. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from app.kernel.addresses import AddressRules

DEFAULT_SCHEDULE: Final = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0)
DEFAULT_PORTS: Final = "80,443,8080,8443"
LONGEST_RETRY_AFTER: Final = 86_400.0
# So many failures in a row, and an endpoint is tried with one delivery at a time, now and then.
SUSPENDED_AFTER: Final = 10
FIRST_PROBE: Final = 30.0
LONGEST_PROBE: Final = 600.0
LONGEST_URL: Final = 2000
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds before each further try of a delivery, seconds that a receiver has to answer, and seconds without a
    success after which an endpoint is turned off."""

    schedule: tuple[float, ...] = DEFAULT_SCHEDULE
    timeout: float = 15.0
    disable_after: float = 432_000.0

    def pause_after(self, tries: int, retry_after: float | None, *, endless: bool) -> float | None:
        """Return the seconds to wait after so many failed tries, or None where it was the last. What must not be left
        out (`endless`) is tried for ever, at the last interval."""
        if tries > len(self.schedule) and not endless:
            return None
        pause = self.schedule[min(tries, len(self.schedule)) - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - spreads
        return max(pause, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


def probe_pause(failures: int) -> float:
    """Return the seconds between two deliveries that are tried at a suspended endpoint."""
    return min(FIRST_PROBE * 2.0 ** min(failures - SUSPENDED_AFTER, 10), LONGEST_PROBE)


def read_schedule(text: str) -> tuple[float, ...]:
    """Return the seconds of `5,300,1800`; raises ValueError."""
    schedule = tuple(float(part) for part in text.split(","))
    if any(seconds <= 0 for seconds in schedule):
        raise ValueError("WEBHOOK_SCHEDULE holds a number that is not above zero")
    return schedule


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where endpoints may be. Plain `http` is for installations that allow private addresses: elsewhere what is signed
    is also encrypted."""

    addresses: AddressRules
    ports: tuple[range, ...] | None = None

    @classmethod
    def of(cls, *, allow_private: bool, ports: str) -> Destinations:
        """Return the rules of an installation; `ports` are such as `443,8000-8999`. Raises ValueError."""
        addresses = AddressRules(allow_private, allow_loopback=allow_private)
        if not ports and allow_private:
            return cls(addresses)
        return cls(addresses, tuple(map(_read_range, (ports or DEFAULT_PORTS).split(","))))

    def find_fault(self, url: str) -> str | None:
        """Return why an address must not be told of events, or None. Where a name leads is judged at each request."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return "is not an address"
        if parts.scheme not in _PORTS or not parts.hostname or not url.isascii() or not url.isprintable() or " " in url:
            return "must be an address such as https://example.com/hook"
        if parts.username is not None or parts.password is not None or parts.fragment:
            return "must hold neither a user nor a fragment"
        if parts.scheme == "http" and not self.addresses.allow_private:
            return "must begin with https://"
        if self.ports is not None and not any((port or _PORTS[parts.scheme]) in some for some in self.ports):
            return "must be at another port: this one is not among those that this installation allows"
        return self.addresses.find_fault(parts.hostname)


def _read_range(text: str) -> range:
    first, _, last = text.strip().partition("-")
    return range(int(first), int(last or first) + 1)
