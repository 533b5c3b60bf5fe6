"""Places for files that come in: each takes a thread of the API for as long as it comes, at the pace of `pacing`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from app.http.platform import platform
from app.kernel.errors import Unavailable

MOST: Final = 3
MOST_OF_ONE: Final = 2
SOON: Final = {"Retry-After": "2"}

_counting: Final = threading.Lock()


class UploadPlaces:
    """The places of one kind of upload in this process. `taken` counts them by owner, who never has all; all kinds
    together have half of the threads."""

    _kinds: Final[list[UploadPlaces]] = []

    def __init__(self) -> None:
        self.taken: Counter[UUID] = Counter()
        self._kinds.append(self)

    @contextmanager
    def take(self, owner: UUID) -> Iterator[None]:
        """Hold a place; raises Unavailable."""
        with _counting:
            if self._is_full(owner):
                raise Unavailable("Others are uploading; try again soon.", headers=SOON)
            self.taken[owner] += 1
        try:
            yield
        finally:
            with _counting:
                self.taken[owner] -= 1
                if not self.taken[owner]:
                    del self.taken[owner]

    def _is_full(self, owner: UUID) -> bool:
        in_all = sum(kind.taken.total() for kind in self._kinds)
        is_crowded = in_all >= max(platform().web_threads // 2, 1)
        return is_crowded or self.taken.total() >= MOST or self.taken[owner] >= MOST_OF_ONE
