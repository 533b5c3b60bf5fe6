"""How much disk some folders take, measured while git fills them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_LEAST_REST = 0.25
_REST_FACTOR = 5  # of the time a measurement takes: at most a sixth of a core goes into measuring
_BLOCK = 512


class SizeWatch:
    """Measures now and then, the more seldom the longer it takes."""

    def __init__(self, folders: Iterable[Path], max_bytes: int) -> None:
        self._folders = tuple(folders)
        self._max_bytes = max_bytes
        self._next_at = 0.0

    def is_over(self) -> bool:
        """Tell whether the folders take more than the limit; False where it is too early to measure again."""
        if time.monotonic() < self._next_at:
            return False
        began = time.monotonic()
        size = self.measure()
        ended = time.monotonic()
        self._next_at = ended + max(_LEAST_REST, _REST_FACTOR * (ended - began))
        return size >= self._max_bytes

    def measure(self) -> int:
        """Return the bytes the folders take on disk, counted until they pass the limit."""
        total = 0
        for size in _sizes(self._folders):
            total += size
            if total >= self._max_bytes:
                break
        return total


def _sizes(folders: Iterable[Path]) -> Iterator[int]:
    """An entry counts a block at least, as a million empty files fill a disk too."""
    waiting: list[str] = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield max(_BLOCK, entry.stat(follow_symlinks=False).st_blocks * _BLOCK)
        except OSError:
            continue  # git renames and removes while we look
