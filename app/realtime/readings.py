"""Where the truth of a topic is read: events from their rows, log lines from the log store. All of it blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Select, Text, any_, bindparam, select

from app.kernel.db import Database
from app.kernel.stream import Delivered, StreamEvent, StreamTopic, delivered, events_after
from app.messaging import last_places, newest_events, room_events
from app.realtime.frames import CHUNK_BYTES, Frame, Position, event_frame, log_frame
from app.realtime.topics import room_of

PAGE = 500
ROOM_PAGE = 200
LOG_PAGE = 2000
RECENT = 16


class Page(NamedTuple):
    """What was read after a place; `more` tells that there is more to read, `ended` that nothing will ever follow."""

    frames: list[Frame]
    more: bool = False
    ended: bool = False


class Opening(NamedTuple):
    """Where a feed starts: the frames up to `last`; `stale` tells that there may be more to read already."""

    last: Position
    frames: list[Frame]
    stale: bool


class LogPage(Protocol):
    """Lines of one attempt, in order, each a mapping `{seq, timestamp, stream, level, message}`.

    `ended` tells that the step has ended; it must be looked up before the lines, or the last ones could be missed.
    """

    @property
    def lines(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def attempt(self) -> int: ...
    @property
    def ended(self) -> bool: ...


class LogReader(Protocol):
    """Reads the log of a step: about `limit` lines after `(attempt, seq)`, where `(0, 0)` is before the first.

    When an attempt has no line after that place and a later attempt exists, its first lines are returned. Runs in
    threads; an error of the database or a HeadraceError means that the log is away for a while.
    """

    def read(self, step_run_id: UUID, after: tuple[int, int], limit: int) -> LogPage: ...


class Source(Protocol):
    """The truth of one topic."""

    topic: str
    start: Position

    def open(self, position: Position) -> Opening:
        """Return where a feed starts whose first listener is at `position`."""

    def read(self, after: Position) -> Page:
        """Return what follows `after`."""

    def frames_of(self, events: Sequence[Delivered]) -> list[Frame] | None:
        """Return the frames that live events carry, or None when they only tell that there is something to read."""


class EventSource:
    """The rows of a topic's events."""

    start: Position = (0,)

    def __init__(self, database: Database, topic: str) -> None:
        self._database = database
        self.topic = topic

    def open(self, position: Position) -> Opening:  # noqa: ARG002  events have a newest one, wherever the listener is
        """Return the newest event and some before it: most listeners need no more."""
        rows = self._rows(_newest(self.topic, RECENT))[::-1]
        frames = [event_frame(delivered(row), (row.seq - 1,)) for row in rows]
        return Opening(frames[-1].last if frames else self.start, frames, stale=False)

    def read(self, after: Position) -> Page:
        """Return the events after a number; numbers whose rows have expired are passed over."""
        rows = self._rows(events_after(self.topic, after[0], PAGE))
        frames = _framed([delivered(row) for row in rows], after)
        return Page(frames, more=len(rows) == PAGE)

    def frames_of(self, events: Sequence[Delivered]) -> list[Frame] | None:
        """Return a frame for each, or None when one is only a hint."""
        return _frames_unless_hint(events)

    def _rows(self, query: Select[StreamEvent]) -> Sequence[StreamEvent]:
        with self._database.transaction() as session:
            return session.scalars(query).all()


class RoomSource:
    """The events of a chat room, which are its messages and what became of them."""

    start: Position = (0,)

    def __init__(self, database: Database, topic: str) -> None:
        self._database = database
        self.topic = topic
        self._room_id = UUID(topic.removeprefix("room:"))

    def open(self, position: Position) -> Opening:  # noqa: ARG002  as above
        """Return the newest event and some before it."""
        with self._database.transaction() as session:
            events = newest_events(session, self._room_id, RECENT)
            last = last_places(session, [self._room_id]).get(self._room_id, 0)
        frames = _framed(events, (events[0].seq - 1,) if events else self.start)
        return Opening(frames[-1].last if frames else (last,), frames, stale=False)

    def read(self, after: Position) -> Page:
        """Return the events after a number; numbers whose rows have gone are passed over."""
        with self._database.transaction() as session:
            events = room_events(session, self._room_id, after[0], ROOM_PAGE)
        return Page(_framed(events, after), more=len(events) == ROOM_PAGE)

    def frames_of(self, events: Sequence[Delivered]) -> list[Frame] | None:
        """Return a frame for each, or None when one is only a hint."""
        return _frames_unless_hint(events)


class LogSource:
    """The log of one step."""

    start: Position = (0, 0)

    def __init__(self, reader: LogReader, topic: str) -> None:
        self._reader = reader
        self.topic = topic
        self._step_run_id = UUID(topic.removeprefix("log:"))

    def open(self, position: Position) -> Opening:
        """Start where the first listener is; what follows is then read once for all."""
        return Opening(position, [], stale=True)

    def read(self, after: Position) -> Page:
        """Return the lines after a place, in frames that stay small when lines are long."""
        page = self._reader.read(self._step_run_id, (after[0], after[1]), LOG_PAGE)
        frames: list[Frame] = []
        for lines in _portions(page.lines):
            frames.append(log_frame(self.topic, page.attempt, lines, after))
            after = frames[-1].last
        return Page(frames, more=bool(frames), ended=page.ended and not frames)

    def frames_of(self, events: Sequence[Delivered]) -> None:  # noqa: ARG002  the lines are in the store
        """Return None: a live entry of a log carries no lines."""
        return


def _frames_unless_hint(events: Sequence[Delivered]) -> list[Frame] | None:
    return None if any(not event.data for event in events) else [event_frame(one, (one.seq - 1,)) for one in events]


def source_of(database: Database, topic: str) -> EventSource | RoomSource:
    """Return where a topic of events is read."""
    return EventSource(database, topic) if room_of(topic) is None else RoomSource(database, topic)


def newest_places(database: Database, topics: Sequence[str]) -> dict[str, int]:
    """Return the number of the newest event of each topic that has one."""
    rooms = {topic: room_id for topic in topics if (room_id := room_of(topic)) is not None}
    newest = newest_numbers(database, [topic for topic in topics if topic not in rooms])
    if not rooms:
        return newest
    with database.transaction() as session:
        places = last_places(session, list(rooms.values()))
    return newest | {topic: places[room_id] for topic, room_id in rooms.items() if room_id in places}


def newest_numbers(database: Database, topics: Iterable[str]) -> dict[str, int]:
    """Return the newest number of each topic that has one."""
    # One array, not a parameter each: the statement stays the same for any number of topics.
    wanted = bindparam("topics", list(topics), type_=ARRAY(Text))
    query = select(StreamTopic.topic, StreamTopic.last_seq).where(StreamTopic.topic == any_(wanted))
    with database.transaction() as session:
        return {row.topic: row.last_seq for row in session.execute(query)}


def _framed(events: Sequence[Delivered], after: Position) -> list[Frame]:
    places = [after, *((event.seq,) for event in events)]
    return [event_frame(event, place) for event, place in zip(events, places, strict=False)]


def _newest(topic: str, limit: int) -> Select[StreamEvent]:
    return select(StreamEvent).where(StreamEvent.topic == topic).order_by(StreamEvent.seq.desc()).limit(limit)


def _portions(lines: Sequence[Mapping[str, Any]]) -> Iterable[Sequence[Mapping[str, Any]]]:
    start = size = 0
    for index, line in enumerate(lines):
        if size > CHUNK_BYTES:
            yield lines[start:index]
            start, size = index, 0
        size += len(line["message"])
    if lines:
        yield lines[start:]
