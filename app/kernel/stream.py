"""Streams: one append-only, gapless sequence of events per topic, of which polling, SSE and WebSocket are readings.

The rows are the truth. Redis carries a copy of each new event to whoever listens now; a reader that finds a gap in
the numbers, or Redis away, reads the rows. So Redis may be wiped at any moment and no reader misses or repeats one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson
import redis
from sqlalchemy import BigInteger, Index, Select, delete, func, select, text, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.breaker import Breaker
from app.kernel.clock import format_time, sql_days
from app.kernel.db import Base, note

LIVE_KEY = "headrace:live"
LIVE_LENGTH = 20_000
# Bytes of JSON beyond which an event goes live without its data: what is live lies in memory, and rows do not.
LONGEST_LIVE = 8 * 1024
REST_SECONDS = 2.0
# In the place of a number: an event that is told and not kept. A zero tells of a log that has grown.
PASSING = -1


class StreamTopic(Base):
    """The last number given in a topic; its row lock orders the writers of that topic."""

    __tablename__ = "stream_topics"

    topic: Mapped[str] = mapped_column(primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger)


class StreamEvent(Base):
    """One event of a topic such as `job:{id}` or `execution:{id}`; `seq` counts from 1 without a gap."""

    __tablename__ = "stream_events"
    __table_args__ = (Index("ix_stream_events_created_at", "created_at", postgresql_using="brin"),)

    topic: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Delivered:
    """An event as every client sees it; `seq` is its number in the topic. A live one without data is a hint to read
    the rows."""

    topic: str
    seq: int
    type: str
    timestamp: str
    data: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the one event shape of the public contract."""
        return {
            "id": str(self.seq),
            "type": self.type,
            "topic": self.topic,
            "timestamp": self.timestamp,
            "data": self.data,
        }


class Live(Protocol):
    """Carries new events to the stream processes; may lose them, never reorders them."""

    def send(self, events: Sequence[Delivered]) -> None: ...


class RedisLive:
    """Appends new events to one capped Redis stream that every stream process reads.

    What Redis did not take is not sent again, and for two seconds nothing is: readers have the rows.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._breaker = Breaker(REST_SECONDS)

    def send(self, events: Sequence[Delivered]) -> None:
        """Append the events in one round trip; raises redis.RedisError."""
        if not self._breaker.allows():
            return
        pipeline = self._client.pipeline(transaction=False)
        for event in events:
            pipeline.xadd(LIVE_KEY, {b"e": orjson.dumps(event)}, maxlen=LIVE_LENGTH, approximate=True)
        try:
            pipeline.execute()
        except BaseException:
            self._breaker.failed()
            raise
        self._breaker.succeeded()


def publish(session: Session, topic: str, event_type: str, data: dict[str, Any]) -> None:
    """Add an event to a topic when the transaction commits."""
    session.info.setdefault("stream", []).append((topic, event_type, data))


_APPEND = text(
    """
    WITH incoming AS (
        SELECT topic, type, data, place,
               row_number() OVER (PARTITION BY topic ORDER BY place) AS nth,
               count(*) OVER (PARTITION BY topic) AS many
        FROM unnest(CAST(:topics AS text[]), CAST(:types AS text[]), CAST(:data AS jsonb[]))
             WITH ORDINALITY AS given (topic, type, data, place)
    ), numbered AS (
        INSERT INTO stream_topics AS t (topic, last_seq)
        SELECT DISTINCT topic, many FROM incoming ORDER BY topic
        ON CONFLICT (topic) DO UPDATE SET last_seq = t.last_seq + EXCLUDED.last_seq
        RETURNING topic, last_seq
    )
    INSERT INTO stream_events (topic, seq, type, data, created_at)
    SELECT topic, last_seq - many + nth, type, data, clock_timestamp() FROM incoming JOIN numbered USING (topic)
    ORDER BY place
    RETURNING topic, seq, type, data, created_at
    """
)


def write_published(session: Session) -> None:
    """Write what `publish` collected, in one statement.

    It runs last in a transaction and takes the topics' locks in one order, so that they are held briefly and two
    writers of the same topics cannot wait for each other in a circle.
    """
    pending = session.info.pop("stream", [])
    if not pending:
        return
    topics, types, data = zip(*pending, strict=True)
    given = {"topics": list(topics), "types": list(types), "data": [orjson.dumps(entry).decode() for entry in data]}
    may_be_long = sum(map(len, given["data"])) > LONGEST_LIVE
    for row in session.execute(_APPEND, given):
        is_long = may_be_long and len(orjson.dumps(row.data)) > LONGEST_LIVE
        told = {} if is_long else row.data
        note(session, "stream", Delivered(row.topic, row.seq, row.type, format_time(row.created_at), told))


def events_after(topic: str, seq: int, limit: int = 500) -> Select[StreamEvent]:
    """Select the events of a topic after number `seq`, oldest first."""
    return (
        select(StreamEvent)
        .where(StreamEvent.topic == topic, StreamEvent.seq > seq)
        .order_by(StreamEvent.seq)
        .limit(limit)
    )


def forget_old_events(session: Session, days: int, limit: int = 5000) -> int:
    """Delete some of the events older than `days`; the topics' numbers go on. Returns how many were deleted."""
    old = (
        select(StreamEvent.topic, StreamEvent.seq)
        .where(StreamEvent.created_at < func.clock_timestamp() - sql_days(days))
        .limit(limit)
    )
    gone = delete(StreamEvent).where(tuple_(StreamEvent.topic, StreamEvent.seq).in_(old))
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]


def delivered(row: StreamEvent) -> Delivered:
    """Return a stored event as clients see it."""
    return Delivered(row.topic, row.seq, row.type, format_time(row.created_at), row.data)
