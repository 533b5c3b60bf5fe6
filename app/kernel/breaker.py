"""A circuit breaker: what has just failed is not asked again for a moment, so that not everybody waits for it."""

from __future__ import annotations

import threading
import time


class Breaker:
    """Opens by a failure for `rest` seconds. Then one caller may try; the others are refused until it knows.

    Whoever was allowed says how it went, by `succeeded` or `failed`.
    """

    def __init__(self, rest: float) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._until: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the last that was heard was a failure."""
        return self._until is not None

    def allows(self) -> bool:
        """Tell whether to ask now."""
        if not self.is_open:
            return True
        with self._lock:
            if self._trying or time.monotonic() < (self._until or 0.0):
                return False
            self._trying = self._until is not None
            return True

    def succeeded(self) -> None:
        """Close it: there was an answer."""
        if self._until is not None:
            with self._lock:
                self._until, self._trying = None, False

    def failed(self) -> None:
        """Open it for a while."""
        with self._lock:
            self._until, self._trying = time.monotonic() + self._rest, False
