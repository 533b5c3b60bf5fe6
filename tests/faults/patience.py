"""How long a run waits: as long as it gets on, however slow the machine is."""

from __future__ import annotations

import time


class Patience:
    """Is at its end when a number has not been less than ever for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._least: int | None = None
        self._since = time.monotonic()

    def is_at_its_end(self, left: int) -> bool:
        """Tell whether to give up, with so much left to do."""
        if self._least is None or left < self._least:
            self._least, self._since = left, time.monotonic()
        return time.monotonic() - self._since > self._seconds
