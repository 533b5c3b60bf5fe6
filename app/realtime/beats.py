"""The heartbeat: a comment to every client each 15 seconds, so that proxies and clients see that the stream lives."""

from __future__ import annotations

import asyncio

from app.realtime.listener import Listener

BEAT_SECONDS = 15


class Beats:
    """A ring of as many groups as the period has seconds; a listener joins the group whose turn is a period away."""

    def __init__(self) -> None:
        self._groups: list[set[Listener]] = [set() for _ in range(BEAT_SECONDS)]
        self._turn = 0

    def add(self, listener: Listener) -> None:
        """Beat for a listener until it is gone."""
        self._groups[self._turn].add(listener)

    async def run(self) -> None:
        """Give each group its turn."""
        while True:
            await asyncio.sleep(1)
            self._turn = (self._turn + 1) % BEAT_SECONDS
            group = self._groups[self._turn]
            for listener in tuple(group):
                if listener.connection.is_closed:
                    group.discard(listener)
                else:
                    listener.beat()
