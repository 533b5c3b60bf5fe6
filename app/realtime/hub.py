"""The hub knows every listener and every feed of this process, and brings live events and looks at the rows to them."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from app.kernel.db import Database
from app.kernel.handover import StreamRequest
from app.kernel.stream import Delivered
from app.realtime.connection import Connection
from app.realtime.feed import AWAY, Feed, ReadInThread
from app.realtime.frames import head
from app.realtime.listener import Listener, Place, Right
from app.realtime.readings import EventSource, LogReader, LogSource, Source, newest_numbers

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
TOPICS_PER_LOOK = 2000
SHARED_THREADS = 4
PRIVATE_THREADS = 2
THREADS = SHARED_THREADS + PRIVATE_THREADS


class Hub:
    """Made and used inside the event loop. `database` is asked from THREADS threads at most."""

    def __init__(self, database: Database, log_reader: LogReader) -> None:
        self.listeners: set[Listener] = set()
        self._database = database
        self._log_reader = log_reader
        self._feeds: dict[str, Feed] = {}
        self._users: Counter[str] = Counter()
        # Apart, so that a crowd that reads on from long ago does not delay what is read for all.
        self._shared = ThreadPoolExecutor(SHARED_THREADS, "shared")
        self._private = ThreadPoolExecutor(PRIVATE_THREADS, "private")
        self._look_now = asyncio.Event()
        self._newest: dict[str, int] = {}
        self.is_empty = asyncio.Event()
        self.is_empty.set()

    @property
    def read(self) -> ReadInThread:
        """Runs a function that blocks in one of the threads that read for all."""
        return functools.partial(_run, self._shared)

    @property
    def topics(self) -> frozenset[str]:
        """What is listened to."""
        return frozenset(self._feeds)

    def listen(self, client: socket.socket, request: StreamRequest) -> Listener:
        """Serve a client from now on; raises ValueError, with nothing begun, when the request makes no sense."""
        position = request.position()
        sources = [self._source(request.reading, topic) for topic in request.topics]
        listener = Listener(_right(request), request.ends_on, functools.partial(_run, self._private), self._forget)
        listener.connection = Connection(asyncio.get_running_loop(), client, listener.gone)
        listener.places = tuple(
            Place(listener, self._feed(source), place)
            for source, place in zip(sources, _places(request, position), strict=True)
        )
        self.listeners.add(listener)
        self.is_empty.clear()
        listener.connection.send(head(request.headers))
        listener.catch_up()
        return listener

    def hear(self, events: Sequence[Delivered]) -> None:
        """Bring live events to their feeds, those of one feed together."""
        by_topic: dict[str, list[Delivered]] = defaultdict(list)
        for event in events:
            if event.topic in self._feeds:
                by_topic[event.topic].append(event)
        for topic, heard in by_topic.items():
            # Serving one feed may end another's last listener.
            if topic in self._feeds:
                self._feeds[topic].hear(heard)

    def look_now(self) -> None:
        """Compare every feed with the rows at once: live events may have been lost."""
        self._look_now.set()

    async def follow_rows(self) -> None:
        """Compare every feed with the rows, again and again: nobody tells of a live event that never came."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look_now.wait()
            is_urgent = self._look_now.is_set()
            self._look_now.clear()
            try:
                await self._look(is_urgent)
            except AWAY as error:
                log.warning("the streams' rows cannot be read: %s", type(error).__name__)

    def close(self) -> None:
        """Let go of the threads; readings that wait are given up."""
        self._shared.shutdown(wait=False, cancel_futures=True)
        self._private.shutdown(wait=False, cancel_futures=True)

    async def _look(self, is_urgent: bool) -> None:
        numbered: list[str] = []
        for topic, feed in self._feeds.items():
            if isinstance(feed.source, EventSource):
                numbered.append(topic)
            else:
                feed.refresh()
        newest: dict[str, int] = {}
        for start in range(0, len(numbered), TOPICS_PER_LOOK):
            some = numbered[start : start + TOPICS_PER_LOOK]
            newest |= await self.read(newest_numbers, self._database, some)
        # What was there a look ago and did not come live is lost; what is newer may be on its way, and to read it
        # as well would cost most when there is most to do.
        self._catch_up_with(newest if is_urgent else self._newest)
        self._newest = newest

    def _catch_up_with(self, numbers: dict[str, int]) -> None:
        for topic, number in numbers.items():
            late = self._feeds.get(topic)
            if late is not None and late.last is not None and late.last < (number,):
                late.refresh()

    def _source(self, reading: str, topic: str) -> Source:
        if reading == "events":
            return EventSource(self._database, topic)
        return LogSource(self._log_reader, topic)

    def _feed(self, source: Source) -> Feed:
        feed = self._feeds.setdefault(source.topic, Feed(source, self.read))
        self._users[source.topic] += 1
        return feed

    def _forget(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        for place in listener.places:
            topic = place.feed.source.topic
            self._users[topic] -= 1
            if not self._users[topic]:
                del self._users[topic], self._feeds[topic]
        if not self.listeners:
            self.is_empty.set()


def _right(request: StreamRequest) -> Right:
    return Right(
        user_id=UUID(request.user_id) if request.user_id else None,
        session_id=UUID(request.session_id) if request.session_id else None,
        key_id=UUID(request.key_id) if request.key_id else None,
        permission=request.permission,
        places=request.places,
        expires_at=datetime.fromisoformat(request.expires_at).timestamp() if request.expires_at else None,
    )


def _places(request: StreamRequest, position: tuple[int, ...] | None) -> list[tuple[int, ...] | None]:
    if position is None or request.reading == "log":
        return [position] * len(request.topics)
    return [(number,) for number in position]


async def _run(threads: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)
