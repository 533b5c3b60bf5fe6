"""A feed follows one topic for everyone who listens to it here: it reads once and sends the same bytes to all."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app.kernel.errors import HeadraceError
from app.kernel.stream import Delivered
from app.realtime.frames import Batch, Frame, Position, batches, passing_frame
from app.realtime.readings import Page, Source

log = logging.getLogger(__name__)

KEPT_FRAMES = 32
KEPT_BYTES = 16 * 1024

# What a reading may fail with for a while; listeners stay and the next look tries again.
AWAY = (SQLAlchemyError, OSError, HeadraceError)

ReadInThread = Callable[..., Awaitable[Any]]


class Follower(Protocol):
    """A listener's place in a topic; attached, it is given each new frame."""

    def take(self, batch: Batch) -> None:
        """Serve frames that follow each other."""

    def overhear(self, frame: Frame, by: UUID | None) -> None:
        """Pass on what is not kept; `by` is who did it, if they are not to hear of it."""

    def note_end(self) -> None:
        """Look whether the stream is over."""


class Feed:
    """One topic, from its newest frames on.

    `last` is the place up to which every attached follower was served, None while nobody is attached; the frames kept
    lead up to it. All methods run in the event loop, so between two awaits nothing moves; a reading that comes back is
    judged by the places it covers, whatever happened meanwhile.
    """

    def __init__(self, source: Source, read: ReadInThread) -> None:
        self.source = source
        self.last: Position | None = None
        self.is_over = False
        self._read = read
        self._kept: deque[Frame] = deque()
        self._kept_bytes = 0
        self._followers: dict[Follower, None] = {}
        self._opening = asyncio.Lock()
        self._is_stale = False
        self._reading: asyncio.Task[None] | None = None

    def ends_on(self, types: Sequence[str]) -> bool:
        """Tell whether nothing will follow, or the newest event is of one of these types."""
        return self.is_over or (bool(self._kept) and self._kept[-1].type in types)

    async def open(self, position: Position) -> Position:
        """Find out where the topic stands, for a first listener at `position`; returns `last`. Raises as AWAY says."""
        async with self._opening:
            if self.last is None:
                opening = await self._read(self.source.open, position)
                self._keep(opening.frames)
                self.last = opening.last
                if opening.stale or self._is_stale:
                    self.refresh()
            return self.last

    def attach(self, follower: Follower) -> None:
        """Give `follower`, who has come to `last` or beyond, every frame that is new to it from now on."""
        self._followers[follower] = None

    def detach(self, follower: Follower) -> None:
        """Stop; without followers nothing is read, so that the place is soon not true any more."""
        self._followers.pop(follower, None)
        if not self._followers:
            self.last = None
            self.is_over = False
            self._kept.clear()
            self._kept_bytes = 0

    def recent(self, position: Position) -> list[Frame] | None:
        """Return the frames after a place, or None when those kept do not reach back so far."""
        if not self._kept or self._kept[0].after > position:
            return None
        return [frame for frame in self._kept if frame.last > position]

    def hear(self, events: Sequence[Delivered]) -> None:
        """Take live events; where a number is missing, the rows are read."""
        frames = self.source.frames_of(events)
        if frames is None or self.last is None:
            self.refresh()
        else:
            self._extend(frames)

    def mention(self, event: Delivered) -> None:
        """Tell what is not kept, such as that somebody types, to all who are attached."""
        frame = passing_frame(event)
        by = UUID(event.data["user_id"]) if "user_id" in event.data else None
        for follower in tuple(self._followers):
            follower.overhear(frame, by)

    def refresh(self) -> None:
        """See to it that a reading begins after now."""
        self._is_stale = True
        if self._reading is None and self.last is not None:
            self._reading = asyncio.get_running_loop().create_task(self._read_on())

    async def refreshed(self) -> bool:
        """Wait for a reading that began after now; tells whether it succeeded."""
        self.refresh()
        while self._reading is not None:
            await asyncio.wait([self._reading])
        return not self._is_stale

    async def _read_on(self) -> None:
        try:
            while self._is_stale and self.last is not None:
                self._is_stale = False
                page: Page = await self._read(self.source.read, self.last)
                self._extend(page.frames)
                self._is_stale = self._is_stale or (page.more and bool(self._followers))
                if page.ended:
                    self.is_over = True
                    self._tell_end()
        except AWAY as error:
            self._is_stale = True
            log.warning("a topic could not be read: %s", type(error).__name__)
        except Exception:
            self._is_stale = True
            log.exception("a topic could not be read")
        finally:
            self._reading = None

    def _extend(self, frames: Sequence[Frame]) -> None:
        """Serve what follows `last` without a gap; what is older is passed over, what is newer is read again."""
        fresh: list[Frame] = []
        last = self.last
        for frame in frames:
            if last is None or frame.after > last:
                self.refresh()
                break
            if frame.last > last:
                fresh.append(frame)
                last = frame.last
        for batch in batches(fresh):
            self._serve(batch)
        if fresh:
            self._tell_end()

    def _serve(self, batch: Batch) -> None:
        if self.last is None:
            return
        self._keep(batch.frames)
        self.last = batch.frames[-1].last
        for follower in tuple(self._followers):
            follower.take(batch)

    def _tell_end(self) -> None:
        for follower in tuple(self._followers):
            follower.note_end()

    def _keep(self, frames: Sequence[Frame]) -> None:
        self._kept.extend(frames)
        self._kept_bytes += sum(len(frame.text) for frame in frames)
        while len(self._kept) > 1 and (len(self._kept) > KEPT_FRAMES or self._kept_bytes > KEPT_BYTES):
            self._kept_bytes -= len(self._kept.popleft().text)
