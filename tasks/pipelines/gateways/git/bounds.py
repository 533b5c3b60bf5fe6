"""What bounds one piece of work: its deadline, the disk it may fill, and whoever may call it off."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.pipelines.gateways.base import Check, CheckoutTimedOut, RepositoryTooLarge

POLL_SECONDS = 0.25

_REST_FACTOR = 5  # of the time a measurement takes: at most a sixth of a core goes into measuring
_SMALLEST = 512


class Bounds:
    """Bounds that begin to count now. `folders` are what fills; the disk they take is measured when there is time."""

    def __init__(self, *, seconds: float, max_bytes: int, folders: Iterable[Path], check: Check) -> None:
        self.max_bytes = max_bytes
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._folders = tuple(folders)
        self._check = check
        self._next_at = 0.0

    def keep(self) -> None:
        """Raise CheckoutTimedOut past the deadline, RepositoryTooLarge past the limit, and what `check` raises."""
        self._check()
        began = time.monotonic()
        if began > self._deadline:
            raise CheckoutTimedOut(f"The repository did not arrive within {self._seconds:.0f} s.")
        if began > self._next_at:
            self.refuse_excess()
            ended = time.monotonic()
            self._next_at = ended + _REST_FACTOR * (ended - began)

    def refuse_excess(self) -> None:
        """Measure now; raises RepositoryTooLarge."""
        total = 0
        for size in _sizes(self._folders):
            total += size
            if total > self.max_bytes:
                raise self.excess()

    def excess(self) -> RepositoryTooLarge:
        """Return the error for a repository that takes too much."""
        return RepositoryTooLarge(f"The repository takes more than the {self.max_bytes:,} bytes it may.")


def _sizes(folders: Iterable[Path]) -> Iterator[int]:
    """Nothing counts as nothing, as a million empty files fill a disk too."""
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield max(_SMALLEST, entry.stat(follow_symlinks=False).st_size)
        except OSError:
            continue  # git renames and removes while we look
