"""A listener is one client and its places in one or more topics.

Its queue is its place: a client that is slow gets no new frames while the kernel holds unsent ones of it; it leaves the
feed and reads on from its place, from what the feed keeps or from the rows, as fast as it takes them. So it costs one
frame of memory however far behind it is, loses nothing, and does not slow the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from app.realtime.connection import Connection
from app.realtime.feed import AWAY, Feed, ReadInThread
from app.realtime.frames import END, PING, Frame, Position, chunks, position_id, rest_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Right(NamedTuple):
    """By what right somebody listens; without a login or key it ends at `expires_at`, in seconds of the epoch."""

    user_id: UUID | None
    session_id: UUID | None
    key_id: UUID | None
    permission: str
    places: tuple[UUID, ...]
    expires_at: float | None


class Place:
    """Where a listener is in one topic."""

    __slots__ = ("feed", "is_attached", "is_checked", "listener", "position")

    def __init__(self, listener: Listener, feed: Feed, position: Position | None) -> None:
        self.listener = listener
        self.feed = feed
        self.position = position or feed.source.start
        self.is_checked = position is None
        self.is_attached = False

    def take(self, frames: Sequence[Frame], text: bytes) -> None:
        """Pass frames of the feed on, unless the client is slow."""
        if self.listener.connection.is_ready:
            self.listener.send(self, frames, text)
        else:
            self.leave()
            self.listener.catch_up()

    def note_end(self) -> None:
        """End the stream when this was the last of its topics to end."""
        if self.listener.is_over():
            self.listener.finish()

    def leave(self) -> None:
        """Take nothing more from the feed."""
        self.is_attached = False
        self.feed.detach(self)

    async def advance(self, read: ReadInThread) -> None:
        """Come one step nearer to the feed's end, and follow the feed once there. Raises as AWAY says."""
        last = self.feed.last or await self.feed.open(self.position)
        if not self.is_checked:
            await self._check(last)
        elif self.position >= last:
            self.is_attached = True
            self.feed.attach(self)
        else:
            await self._read_on(read, last)

    async def _check(self, last: Position) -> None:
        """A place beyond the newest is no place. But the feed may be late: only the rows know the newest."""
        if self.position > last:
            if not await self.feed.refreshed():
                await asyncio.sleep(RETRY_SECONDS)
                return
            self.position = min(self.position, self.feed.last or self.position)
        self.is_checked = True

    async def _read_on(self, read: ReadInThread, last: Position) -> None:
        frames = self.feed.recent(self.position)
        if frames is None:
            frames = (await read(self.feed.source.read, self.position)).frames
        if not frames:
            # What was between has expired.
            self.position = max(self.position, last)
        for group in chunks(frames):
            await self.listener.connection.drained()
            self.listener.send(self, group, b"".join([frame.text for frame in group]))


class Listener:
    """One client; made by the hub, which gives it its connection and its places before it starts."""

    __slots__ = ("_catching_up", "_ends_on", "_mark", "_read", "connection", "on_gone", "places", "right")

    connection: Connection

    def __init__(
        self, right: Right, ends_on: tuple[str, ...], read: ReadInThread, on_gone: Callable[[Listener], None]
    ) -> None:
        self.right = right
        self.places: tuple[Place, ...] = ()
        self.on_gone = on_gone
        self._ends_on = ends_on
        self._read = read
        self._catching_up: asyncio.Task[None] | None = None
        self._mark = -1

    def catch_up(self) -> None:
        """Bring every place to the end of its feed, if that is not under way."""
        if self._catching_up is None:
            self._catching_up = asyncio.get_running_loop().create_task(self._catch_up())

    def send(self, place: Place, frames: Sequence[Frame], text: bytes) -> None:
        """Send what of the frames is new at `place`; `text` is all of them with the ids of their one topic."""
        if len(self.places) == 1 and frames[0].after == place.position:
            place.position = frames[-1].last
            self.connection.send(text)
        elif rendered := b"".join([self._render(place, frame) for frame in frames if frame.last > place.position]):
            self.connection.send(rendered)

    def is_over(self) -> bool:
        """Tell whether every place is at the end of a topic that is over."""
        return all(place.is_attached and place.feed.ends_on(self._ends_on) for place in self.places)

    def finish(self, last_words: bytes = END) -> None:
        """End the stream in good order."""
        self._leave()
        self.connection.finish(last_words)

    def beat(self) -> None:
        """Send a sign of life; drop a client that took nothing since the last one."""
        if self.connection.is_ready:
            self.connection.send(PING)
        elif self.connection.sends == self._mark:
            self.connection.drop()
        self._mark = self.connection.sends

    def gone(self) -> None:
        """Give everything back; the connection is closed."""
        self._leave()
        self.on_gone(self)

    def _render(self, place: Place, frame: Frame) -> bytes:
        frame = rest_of(frame, place.position)
        place.position = frame.last
        if len(self.places) == 1:
            return frame.text
        compound = position_id(tuple(place.position[0] for place in self.places), ".")
        return b"id: %s\n%s" % (compound.encode(), frame.body)

    def _leave(self) -> None:
        for place in self.places:
            place.leave()
        if self._catching_up is not None:
            self._catching_up.cancel()

    async def _catch_up(self) -> None:
        try:
            while behind := next((place for place in self.places if not place.is_attached), None):
                await self.connection.drained()
                try:
                    await behind.advance(self._read)
                except AWAY:
                    await asyncio.sleep(RETRY_SECONDS)
            await self._end_if_over()
        except Exception:
            # A client that comes again is better off than one that waits for nothing.
            log.exception("a listener could not be brought up to date")
            self.connection.drop()
        finally:
            self._catching_up = None

    async def _end_if_over(self) -> None:
        """End only on what the rows say now: a job that was just retried goes on."""
        while self.is_over():
            if not all([await place.feed.refreshed() for place in self.places]):
                await asyncio.sleep(RETRY_SECONDS)
            elif self.is_over():
                self._catching_up = None
                self.finish()
