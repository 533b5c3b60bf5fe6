"""The heartbeat: a comment to every client now and then, so that proxies and clients see that the stream lives."""

from __future__ import annotations

import asyncio

from app.realtime.listener import Listener


class Beats:
    """A ring of as many groups as there are seconds between two beats; a listener joins the group whose turn was last,
    so that its first beat comes a period later and the beats of all are spread over the period."""

    def __init__(self, seconds: int) -> None:
        self._groups: list[set[Listener]] = [set() for _ in range(seconds)]
        self._turn = 0

    def add(self, listener: Listener) -> None:
        """Beat for a listener until it is gone."""
        self._groups[self._turn].add(listener)

    async def run(self) -> None:
        """Give each group its turn."""
        while True:
            await asyncio.sleep(1)
            self._turn = (self._turn + 1) % len(self._groups)
            group = self._groups[self._turn]
            for listener in tuple(group):
                if listener.connection.is_closed:
                    group.discard(listener)
                else:
                    listener.beat()
