"""Presence: who listens to a chat room, or to what is for them alone, by WebSocket. Who comes back within the grace was
never gone. Only rooms are told of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Final, Protocol

from app.kernel.stream import Delivered
from app.realtime.passing import presence_event
from app.realtime.topics import room_of

GRACE_SECONDS: Final = 5.0
STAY_SECONDS: Final = 10.0

Present = tuple[str, str]
"""A topic, and the id of a user."""


class PresenceStore(Protocol):
    """Knows who is there in all processes; see `kernel.presence`."""

    async def enter(self, topic: str, user_id: str) -> bool: ...
    async def leave(self, topic: str, user_id: str) -> bool: ...
    async def stay(self, present: Collection[Present]) -> None: ...
    async def users(self, topics: Collection[str]) -> dict[str, list[str]]: ...
    async def faded(self, topics: Collection[str]) -> list[Present]: ...


class Presence:
    """Those of this process; lives in the event loop."""

    def __init__(self, store: PresenceStore, tell: Callable[[Delivered], Awaitable[None]]) -> None:
        self._store = store
        self._tell = tell
        self._here: Counter[Present] = Counter()
        self._leaving: dict[Present, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def arrive(self, topic: str, user_id: str) -> None:
        """Note that a user begins to listen to a room once more."""
        one = (topic, user_id)
        self._here[one] += 1
        if (leaving := self._leaving.pop(one, None)) is not None:
            leaving.cancel()
        elif self._here[one] == 1:
            self._do(self._enter(one))

    def depart(self, topic: str, user_id: str) -> None:
        """Note that a user listens to a room once less; in the end they are gone after the grace."""
        one = (topic, user_id)
        self._here[one] -= 1
        if self._here[one] <= 0:
            loop = asyncio.get_running_loop()
            self._leaving[one] = loop.call_later(GRACE_SECONDS, self._give_up, one)

    async def snapshots(self, topics: Collection[str]) -> list[Delivered]:
        """Return the events that tell who is in each of some rooms."""
        return [presence_event(topic, online=users) for topic, users in (await self._store.users(topics)).items()]

    async def run(self) -> None:
        """Say again and again who is here, and tell of those who faded with their process."""
        while True:
            await asyncio.sleep(STAY_SECONDS)
            await self._store.stay(list(self._here))
            for topic, user_id in await self._store.faded({topic for topic, _ in self._here}):
                await self._tell_room(topic, user_id, "offline")

    async def _enter(self, one: Present) -> None:
        if await self._store.enter(*one):
            await self._tell_room(*one, "online")

    async def _leave(self, one: Present) -> None:
        if await self._store.leave(*one):
            await self._tell_room(*one, "offline")

    async def _tell_room(self, topic: str, user_id: str, status: str) -> None:
        if room_of(topic) is not None:
            await self._tell(presence_event(topic, user_id=user_id, status=status))

    def _give_up(self, one: Present) -> None:
        del self._leaving[one], self._here[one]
        self._do(self._leave(one))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
