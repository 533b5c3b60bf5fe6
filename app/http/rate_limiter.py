"""Rate limits by Flask-Limiter: sliding-window counters in Redis. Without Redis every request passes.

A counter weighs the previous window by the share of it that still lies in the sliding one, so memory is constant and no
burst of twice the limit passes at a window's edge.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse_many
from limits.errors import StorageError

log = logging.getLogger(__name__)

# The algorithm is part of the key: counters of another one, met under the same key, would be errors.
STRATEGY = "sliding-window-counter"
PREFIX = f"headrace:{STRATEGY}"
ANSWER_SECONDS = 0.3
REST_AFTER_FAILURE = 1.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands with a limit; `reset` is in epoch seconds, `retry_after` is 0 when the request passed."""

    limit: RateLimitItem
    remaining: int
    reset: int
    retry_after: int


def parse_limits(text: str) -> tuple[RateLimitItem, ...]:
    """Read limits such as `5000/hour;100/minute` or `5/15minutes`, shortest window first; raises ValueError."""
    try:
        found = parse_many(text)
    except ValueError:
        found = []
    if not found or any(limit.amount < 1 or limit.get_expiry() < 1 for limit in found):
        raise ValueError(f"{text!r} is not a limit such as 5000/hour;100/minute")
    return tuple(sorted(found, key=lambda limit: limit.get_expiry()))


class RateLimiter:
    """Counts requests. After a failure Redis is left alone for a second, so that a hanging one costs few requests."""

    def __init__(self, url: str) -> None:
        options: Any = {
            "socket_timeout": ANSWER_SECONDS,
            "socket_connect_timeout": ANSWER_SECONDS,
            "retry": None,
            "wrap_exceptions": True,
        }
        self._limiter = Limiter(
            get_remote_address,
            storage_uri=url,
            storage_options=options,
            strategy=STRATEGY,
            key_prefix=PREFIX,
        )
        # Not with the API itself: hooks would look for decorated limits at each of its requests, and there are none.
        self._limiter.init_app(Flask("limits"))
        self._rest_until = 0.0

    def hit(self, subject: str, limits: Sequence[RateLimitItem]) -> Standing | None:
        """Count one request of `subject` against limits, shortest window first; None when Redis is away.

        A limit that refuses keeps those after it from counting.
        """
        if time.monotonic() < self._rest_until:
            return None
        try:
            return self._hit(subject, limits)
        except StorageError as error:
            self._rest_until = time.monotonic() + REST_AFTER_FAILURE
            log.warning("requests are not limited: %s", type(error.storage_error).__name__)
            return None

    def ping(self) -> bool:
        """Tell whether Redis answers."""
        return bool(self._limiter.storage.check())

    def close(self) -> None:
        """Close the connections."""
        client: Any = self._limiter.storage.storage  # type: ignore[attr-defined]  # limits' Redis storage has a client
        client.close()

    def _hit(self, subject: str, limits: Sequence[RateLimitItem]) -> Standing:
        counters = self._limiter.limiter
        refused = next((limit for limit in limits if not counters.hit(limit, PREFIX, subject)), None)
        told = refused or limits[0]
        stats = counters.get_window_stats(told, PREFIX, subject)
        wait = max(1, -int(-(stats.reset_time - time.time()) // 1)) if refused else 0
        return Standing(told, 0 if refused else stats.remaining, -int(-stats.reset_time // 1), wait)
