"""Tokens whose signatures were verified a moment ago: to verify the same bytes again costs more than all the rest.

Only what a token says is kept, which never changes. What its bearer may is known elsewhere (`known_callers`).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from threading import Lock
from typing import Any, Final

KEPT_SECONDS: Final = 30.0
"""How long a token is believed without another look at its key, which may have been retired."""

MOST_TOKENS: Final = 10_000


class SeenTokens:
    """The tokens of one process, by a hash: a token itself is kept nowhere."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = OrderedDict()

    def find(self, token: str) -> Mapping[str, Any] | None:
        """Return the claims of a token that was seen a moment ago."""
        with self._lock:
            until, claims = self._seen.get(_hash(token), (0.0, None))
        return claims if time.monotonic() < until else None

    def keep(self, token: str, claims: Mapping[str, Any]) -> None:
        """Remember a token that was verified."""
        with self._lock:
            self._seen.pop(_hash(token), None)
            self._seen[_hash(token)] = (time.monotonic() + KEPT_SECONDS, claims)
            if len(self._seen) > MOST_TOKENS:
                self._seen.popitem(last=False)


def _hash(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=32).digest()
