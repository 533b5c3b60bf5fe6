"""The hub knows every listener and every feed of this process, and brings live events and looks at the rows to them."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from app.kernel.db import Database
from app.kernel.handover import StreamRequest
from app.kernel.principal import Principal
from app.kernel.stream import PASSING, Delivered
from app.realtime.admission import Admission
from app.realtime.connection import Connection
from app.realtime.event_stream import EventStream
from app.realtime.feed import AWAY, Feed, ReadInThread
from app.realtime.frames import Position
from app.realtime.listener import Listener, Place, Right
from app.realtime.presence import Presence
from app.realtime.readings import LogReader, LogSource, Source, newest_places, source_of
from app.realtime.topics import room_of
from app.realtime.websocket import WebSocket

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
TOPICS_PER_LOOK = 2000
SHARED_THREADS = 4
PRIVATE_THREADS = 4
THREADS = SHARED_THREADS + PRIVATE_THREADS


Tell = Callable[[Delivered], Awaitable[None]]


class Hub:
    """Made and used inside the event loop. `database` is asked from THREADS threads at most.

    A caller may have `most_websockets` open, each of which has to say who it is within `auth_seconds`.
    """

    def __init__(
        self,
        database: Database,
        log_reader: LogReader,
        admission: Admission,
        most_websockets: int,
        auth_seconds: float,
        tell: Tell,
        presence: Presence,
    ) -> None:
        self.listeners: set[Listener] = set()
        self.admission = admission
        self.auth_seconds = auth_seconds
        self._tell = tell
        self.presence = presence
        self._most_websockets = most_websockets
        self._websockets: Counter[UUID] = Counter()
        self._dropped = 0
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

    @property
    def counts(self) -> dict[str, int]:
        """How many listeners of each kind there are, and how many were dropped so far because they took nothing."""
        kinds = Counter(listener.kind for listener in self.listeners)
        return {kind.kind: kinds[kind.kind] for kind in (EventStream, WebSocket)} | {"dropped": self._dropped}

    def listen(self, client: socket.socket, request: StreamRequest) -> Listener:
        """Serve a client from now on; raises ValueError, with nothing begun, when the request makes no sense."""
        request.position()
        if request.protocol == "websocket":
            listener: Listener = WebSocket(self, request)
        else:
            listener = EventStream(self, request.ends_on)
            rights = _rights(request)
        listener.connection = Connection(asyncio.get_running_loop(), client, listener)
        if request.protocol == "sse":
            listener.places = self._places(listener, request, rights)
        self.listeners.add(listener)
        self.is_empty.clear()
        listener.start(request)
        return listener

    def place(self, listener: Listener, topic: str, position: Position | None, right: Right) -> Place:
        """Return a place in a topic of events."""
        return Place(listener, self._feed(source_of(self._database, topic)), position, right)

    def release(self, place: Place) -> None:
        """Take a place back; what nobody listens to is not followed."""
        self._users[place.topic] -= 1
        if not self._users[place.topic]:
            del self._users[place.topic], self._feeds[place.topic]

    def register(self, caller: Principal) -> bool:
        """Tell whether one more WebSocket of this caller is allowed, and count it if so."""
        client = caller.counted_as
        if self._websockets[client] >= self._most_websockets:
            return False
        self._websockets[client] += 1
        return True

    def forget(self, listener: Listener) -> None:
        """Let go of a listener that is gone."""
        self.listeners.discard(listener)
        for place in listener.places:
            self.release(place)
        if isinstance(listener, WebSocket) and listener.caller is not None:
            self._websockets[listener.caller.counted_as] -= 1
            self._websockets += Counter()
        if not self.listeners:
            self.is_empty.set()

    def note_dropped(self) -> None:
        """Count a listener that was let go because it took nothing."""
        self._dropped += 1

    async def read_apart(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function that blocks, in a thread that serves single listeners."""
        return await _run(self._private, function, *arguments)

    def hear(self, events: Sequence[Delivered]) -> None:
        """Bring live events to their feeds, those of one feed together."""
        by_topic: dict[str, list[Delivered]] = defaultdict(list)
        for event in events:
            if event.topic not in self._feeds:
                continue
            if event.seq == PASSING:
                self._feeds[event.topic].mention(event)
            else:
                by_topic[event.topic].append(event)
        for topic, heard in by_topic.items():
            # Serving one feed may end another's last listener.
            if topic in self._feeds:
                self._feeds[topic].hear(heard)

    async def tell(self, event: Delivered) -> None:
        """Tell something that is not kept to all who hear its topic, in every process."""
        await self._tell(event)

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
            if isinstance(feed.source, LogSource):
                feed.refresh()
            else:
                numbered.append(topic)
        newest: dict[str, int] = {}
        for start in range(0, len(numbered), TOPICS_PER_LOOK):
            some = numbered[start : start + TOPICS_PER_LOOK]
            newest |= await self.read(newest_places, self._database, some)
        # What was there a look ago and did not come live is lost; what is newer may be on its way, and to read it
        # as well would cost most when there is most to do.
        self._catch_up_with(newest if is_urgent else self._newest)
        self._newest = newest

    def _catch_up_with(self, numbers: dict[str, int]) -> None:
        for topic, number in numbers.items():
            late = self._feeds.get(topic)
            if late is not None and late.last is not None and late.last < (number,):
                late.refresh()

    def _places(self, listener: Listener, request: StreamRequest, rights: Sequence[Right]) -> tuple[Place, ...]:
        sources = [self._source(request.reading, topic) for topic in request.topics]
        return tuple(
            Place(listener, self._feed(source), position, right)
            for source, position, right in zip(sources, _positions(request), rights, strict=True)
        )

    def _source(self, reading: str, topic: str) -> Source:
        if reading == "events":
            return source_of(self._database, topic)
        return LogSource(self._log_reader, topic)

    def _feed(self, source: Source) -> Feed:
        feed = self._feeds.setdefault(source.topic, Feed(source, self.read))
        self._users[source.topic] += 1
        return feed


def _rights(request: StreamRequest) -> list[Right]:
    texts = (request.user_id, request.session_id, request.key_id)
    user_id, session_id, key_id = (UUID(text) if text else None for text in texts)
    expires_at = datetime.fromisoformat(request.expires_at).timestamp() if request.expires_at else None
    return [
        Right(user_id, session_id, key_id, permission, places, expires_at, room_of(topic))
        for topic, (permission, places) in zip(request.topics, request.ground_of_each(), strict=True)
    ]


def _positions(request: StreamRequest) -> list[Position | None]:
    position = request.position()
    if position is None or request.reading == "log":
        return [position] * len(request.topics)
    return [(number,) for number in position]


async def _run(threads: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)
