"""A listener is one client and its places in one or more topics.

Its queue is its place: a client that is slow gets no new frames while the kernel holds unsent ones of it; it leaves the
feed and reads on from its place, from what the feed keeps or from the rows, as fast as it takes them. So it costs one
frame of memory however far behind it is, loses nothing, and does not slow the others. One that takes nothing at all is
let go: it knows the last event it got, and resumes there.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

from app.kernel.handover import StreamRequest
from app.realtime.connection import Connection
from app.realtime.feed import AWAY, Feed
from app.realtime.frames import Batch, Frame, Position, batches

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Right(NamedTuple):
    """By what right somebody listens; without a login or key it ends at `expires_at`, in seconds of the epoch. That
    to a chat room ends when its listener is not in it any more."""

    user_id: UUID | None
    session_id: UUID | None
    key_id: UUID | None
    permission: str
    places: tuple[UUID, ...]
    expires_at: float | None
    room_id: UUID | None = None


class Keeper(Protocol):
    """What a listener needs of the hub that made it."""

    async def read_apart(self, function: Any, *arguments: Any) -> Any:
        """Run a function that blocks, in a thread that serves single listeners."""

    def forget(self, listener: Listener) -> None:
        """Let go of a listener that is gone."""

    def note_dropped(self) -> None:
        """Count a listener that was let go because it took nothing."""


class Place:
    """Where a listener is in one topic, and by which right."""

    __slots__ = ("feed", "is_attached", "is_checked", "listener", "position", "right")

    def __init__(self, listener: Listener, feed: Feed, position: Position | None, right: Right) -> None:
        self.listener = listener
        self.feed = feed
        self.right = right
        self.position = position or feed.source.start
        self.is_checked = position is None
        self.is_attached = False

    @property
    def topic(self) -> str:
        """What is listened to."""
        return self.feed.source.topic

    def take(self, batch: Batch) -> None:
        """Pass frames of the feed on, unless the client is slow."""
        if self.listener.connection.is_ready:
            self.listener.send(self, batch)
        else:
            self.leave()
            self.listener.catch_up()

    def overhear(self, frame: Frame, by: UUID | None) -> None:
        """Pass on what is not kept, unless the listener did it, or is slow."""
        if self.listener.connection.is_ready and by != self.right.user_id:
            self.listener.mention(frame)

    def note_end(self) -> None:
        """End the stream when this was the last of its topics to end."""
        if self.listener.is_over():
            self.listener.finish()

    def leave(self) -> None:
        """Take nothing more from the feed."""
        self.is_attached = False
        self.feed.detach(self)

    async def advance(self) -> None:
        """Come one step nearer to the feed's end, and follow the feed once there. Raises as AWAY says."""
        last = self.feed.last or await self.feed.open(self.position)
        if not self.is_checked:
            await self._check(last)
        elif self.position >= last:
            self.is_attached = True
            self.feed.attach(self)
        else:
            await self._read_on(last)

    async def _check(self, last: Position) -> None:
        """A place beyond the newest is no place. But the feed may be late: only the rows know the newest."""
        if self.position > last:
            if not await self.feed.refreshed():
                await asyncio.sleep(RETRY_SECONDS)
                return
            self.position = min(self.position, self.feed.last or self.position)
        self.is_checked = True

    async def _read_on(self, last: Position) -> None:
        frames = self.feed.recent(self.position)
        if frames is None:
            frames = (await self.listener.keeper.read_apart(self.feed.source.read, self.position)).frames
        if not frames:
            # What was between has expired.
            self.position = max(self.position, last)
        for batch in batches(frames):
            await self.listener.connection.drained()
            self.listener.send(self, batch)


class Listener(ABC):
    """One client; made by the hub, which gives it its connection, and its places if it has some from the start."""

    __slots__ = ("_catching_up", "_ends_on", "_mark", "connection", "keeper", "places")

    kind: ClassVar[str]
    connection: Connection

    def __init__(self, keeper: Keeper, ends_on: tuple[str, ...] = ()) -> None:
        self.keeper = keeper
        self.places: tuple[Place, ...] = ()
        self._ends_on = ends_on
        self._catching_up: asyncio.Task[None] | None = None
        self._mark = -1

    @abstractmethod
    def start(self, request: StreamRequest) -> None:
        """Say the first words; the connection is there."""

    @abstractmethod
    def hear(self, data: bytes) -> None:
        """Take what the client has sent."""

    @abstractmethod
    def send(self, place: Place, batch: Batch) -> None:
        """Send what of the frames is new at `place`."""

    @abstractmethod
    def mention(self, frame: Frame) -> None:
        """Send what is not kept and has no place in the topic."""

    @abstractmethod
    def finish(self) -> None:
        """End the stream in good order: all it was to tell is told."""

    @abstractmethod
    def send_away(self, milliseconds: int) -> None:
        """End the stream because this process ends; the client is to come again after a while."""

    @abstractmethod
    def lose(self, rights: Collection[Right]) -> None:
        """End what was heard by rights that are gone."""

    @abstractmethod
    def give_sign(self) -> None:
        """Give a sign of life."""

    @abstractmethod
    def give_up(self) -> None:
        """Let go of a client that takes nothing."""

    @property
    def rights(self) -> set[Right]:
        """The rights it stands on."""
        return {place.right for place in self.places}

    def catch_up(self) -> None:
        """Bring every place to the end of its feed, if that is not under way."""
        if self._catching_up is None:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    def is_over(self) -> bool:
        """Tell whether every place is at the end of a topic that is over."""
        return bool(self.places) and all(
            place.is_attached and place.feed.ends_on(self._ends_on) for place in self.places
        )

    def beat(self) -> None:
        """Give a sign of life, or let go of a client that took nothing since the last one."""
        if self.connection.is_finished:
            return
        if self.connection.is_ready:
            self.give_sign()
        elif self.connection.sends == self._mark:
            self.keeper.note_dropped()
            self.give_up()
        self._mark = self.connection.sends

    def gone(self) -> None:
        """Give everything back; the connection is closed."""
        self._leave()
        self.keeper.forget(self)

    def _leave(self) -> None:
        for place in self.places:
            place.leave()
        self._stop_catching_up()

    def _stop_catching_up(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            self._catching_up = None

    async def _catch_up(self) -> None:
        try:
            while behind := next((place for place in self.places if not place.is_attached), None):
                await self.connection.drained()
                try:
                    await behind.advance()
                except AWAY:
                    await asyncio.sleep(RETRY_SECONDS)
            await self._end_if_over()
        except Exception:
            # A client that comes again is better off than one that waits for nothing.
            log.exception("a listener could not be brought up to date")
            self.connection.drop()
        finally:
            if self._catching_up is asyncio.current_task():
                self._catching_up = None

    async def _end_if_over(self) -> None:
        """End only on what the rows say now: a job that was just retried goes on."""
        while self.is_over():
            if not all([await place.feed.refreshed() for place in self.places]):
                await asyncio.sleep(RETRY_SECONDS)
            elif self.is_over():
                self._catching_up = None
                self.finish()
