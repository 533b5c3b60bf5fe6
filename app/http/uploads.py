"""Places for files that come in: each takes a thread of the API for as long as it comes, at the pace of `pacing`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from app.kernel.errors import Unavailable

MOST: Final = 3
MOST_OF_ONE: Final = 2
SOON: Final = {"Retry-After": "2"}


class UploadPlaces:
    """The places of one kind of upload in this process. `taken` counts them by owner, who never has all."""

    def __init__(self) -> None:
        self.taken: Counter[UUID] = Counter()
        self._counting = threading.Lock()

    @contextmanager
    def take(self, owner: UUID) -> Iterator[None]:
        """Hold a place; raises Unavailable."""
        with self._counting:
            if self.taken.total() >= MOST or self.taken[owner] >= MOST_OF_ONE:
                raise Unavailable("Others are uploading; try again soon.", headers=SOON)
            self.taken[owner] += 1
        try:
            yield
        finally:
            with self._counting:
                self.taken[owner] -= 1
                if not self.taken[owner]:
                    del self.taken[owner]
