"""A lane: threads for requests that mostly wait, fed only as far as there is room in it.

What has been waited for longer than a moment no longer takes up room: a receiver that answers nothing keeps a thread,
but not the place of those that answer at once. Only the number of threads bounds those.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final

from app.webhooks import Answer, Order

log = logging.getLogger(__name__)

MOMENT: Final = 0.5

Send = Callable[[Order], Answer]


class Lane:
    """Sends with at most `threads` threads, of which at most `room` have begun within the last moment; what comes of it
    is put into `done`."""

    def __init__(self, threads: int, room: int, send: Send, done: SimpleQueue[Answer | None]) -> None:
        self._threads = threads
        self._room = room
        self._send = send
        self._done = done
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="webhook")
        self._begun: dict[object, float] = {}

    @property
    def busy(self) -> int:
        """How many requests are under way."""
        return len(self._begun)

    @property
    def free(self) -> int:
        """How many requests may be begun now."""
        lately = time.monotonic() - MOMENT
        young = sum(began > lately for began in list(self._begun.values()))
        return max(min(self._threads - self.busy, self._room - young), 0)

    def begin(self, orders: Sequence[Order]) -> None:
        """Begin to send."""
        for order in orders:
            key = object()
            self._begun[key] = time.monotonic()
            self._pool.submit(self._work, key, order)

    def close(self) -> None:
        """Let go of the threads; those that are at work end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, key: object, order: Order) -> None:
        answer: Answer | None = None
        try:
            answer = self._send(order)
        except Exception:
            log.exception("a webhook could not be sent", extra={"delivery_id": str(order.delivery_id)})
        finally:
            del self._begun[key]
            self._done.put(answer)
