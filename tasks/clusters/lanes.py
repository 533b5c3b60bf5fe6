"""Lanes: a bounded number of threads for work of one kind, fed from what is due and only as far as threads are free, so
that what takes long in one lane is never waited for in another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from app.clusters import Due, Watched

log = logging.getLogger(__name__)

Asked = TypeVar("Asked", Due, Watched)
Outcome = TypeVar("Outcome")


class Lane(Generic[Asked, Outcome]):
    """`take` gets at most so many that are due, `act` asks one cluster, in a thread; what comes of it is `collect`ed.

    A cluster whose `act` fails in a way nobody foresaw is logged and left to its next time.
    """

    def __init__(
        self, threads: int, take: Callable[[int], Sequence[Asked]], act: Callable[[Asked], Outcome | None]
    ) -> None:
        self._take: Callable[[int], Sequence[Asked]] = take
        self._act: Callable[[Asked], Outcome | None] = act
        self._threads = threads
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="cluster")
        self._done: SimpleQueue[tuple[Asked, Outcome | None]] = SimpleQueue()
        self.busy = 0

    def feed(self) -> int:
        """Begin as much as there are free threads for; returns how many that were."""
        free = self._threads - self.busy
        due = self._take(free) if free else ()
        self.busy += len(due)
        for one in due:
            self._pool.submit(self._work, one)
        return len(due)

    def collect(self) -> list[tuple[Asked, Outcome]]:
        """Return what has come of those that have ended since."""
        ended: list[tuple[Asked, Outcome]] = []
        while True:
            try:
                due, outcome = self._done.get_nowait()
            except Empty:
                return ended
            self.busy -= 1
            if outcome is not None:
                ended.append((due, outcome))

    def close(self) -> None:
        """Let go of the threads; those that are at work end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, due: Asked) -> None:
        outcome: Outcome | None = None
        try:
            outcome = self._act(due)
        except Exception:
            log.exception("a cluster could not be asked", extra={"cluster_id": str(due.cluster_id)})
        finally:
            self._done.put((due, outcome))
