"""Folding: what single writes have brought of a series becomes one chunk, and goes into its roll-ups; each sample once.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, exists, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_days
from app.kernel.db import table_of
from app.kernel.partitions import Partition, make_partitions, old_partitions
from app.monitoring.models import RESOLUTIONS, MetricChunk, MetricRollup, MetricSeries
from app.monitoring.points import Points, join, pack, unpack
from app.monitoring.reading import moment_of
from app.monitoring.rollups import Buckets, add_up, fold, split_days, unpack_buckets

SERIES_AT_ONCE: Final = 200
CHUNKS_AT_ONCE: Final = 2_000
# A chunk is read as a whole: one of very many samples would make short ranges dear.
MOST_IN_CHUNK: Final = 5_000

_CHUNKS = table_of(MetricChunk)
_ROLLUPS = table_of(MetricRollup)

Days = dict[tuple[int, int, datetime], Buckets]


def fold_some(session: Session) -> int:
    """Fold the new chunks of some series; returns how many, 0 where there is nothing left to do.

    Series that somebody writes to in this moment are left to the next time.
    """
    waiting = exists().where(_CHUNKS.c.series_id == MetricSeries.id, ~_CHUNKS.c.folded)
    mine = select(MetricSeries.id).where(waiting).limit(SERIES_AT_ONCE)
    ids = list(session.scalars(mine.with_for_update(skip_locked=True)))
    parts = _take(session, ids)
    if not parts:
        return 0
    _keep_chunks(session, parts)
    days: Days = {}
    for series_id, points in parts.items():
        for resolution in RESOLUTIONS:
            folded = split_days(fold(points, resolution))
            days |= {(series_id, resolution, moment_of(day)): buckets for day, buckets in folded.items()}
    _add_days(session, days)
    return len(parts)


def _take(session: Session, ids: Collection[int]) -> dict[int, Points]:
    """Take the unfolded chunks of these series away, and return what was in them."""
    some = select(_CHUNKS.c.series_id, _CHUNKS.c.first, _CHUNKS.c.written_at)
    some = some.where(_CHUNKS.c.series_id.in_(ids), ~_CHUNKS.c.folded).limit(CHUNKS_AT_ONCE)
    key = tuple_(_CHUNKS.c.series_id, _CHUNKS.c.first, _CHUNKS.c.written_at)
    taken = delete(_CHUNKS).where(key.in_(some)).returning(_CHUNKS.c.series_id, _CHUNKS.c.data)
    found: dict[int, list[Points]] = defaultdict(list)
    for series_id, data in session.execute(taken):
        found[series_id].append(unpack(bytes(data)))
    return {series_id: join(parts) for series_id, parts in found.items()}


def _keep_chunks(session: Session, parts: Mapping[int, Points]) -> None:
    rows: list[dict[str, Any]] = []
    for series_id, points in parts.items():
        for begin in range(0, len(points), MOST_IN_CHUNK):
            part = Points(points.times[begin : begin + MOST_IN_CHUNK], points.values[begin : begin + MOST_IN_CHUNK])
            span = {"first": int(part.times[0]), "last": int(part.times[-1]), "count": len(part)}
            rows.append({"series_id": series_id, "folded": True, "data": pack(part), **span})
    session.execute(insert(_CHUNKS), rows)


def _add_days(session: Session, days: Days) -> None:
    key = tuple_(_ROLLUPS.c.series_id, _ROLLUPS.c.resolution, _ROLLUPS.c.day)
    there = select(_ROLLUPS.c.series_id, _ROLLUPS.c.resolution, _ROLLUPS.c.day, _ROLLUPS.c.data)
    for row in session.execute(there.where(key.in_(list(days)))):
        place = (row.series_id, row.resolution, row.day)
        days[place] = add_up([unpack_buckets(bytes(row.data)), days[place]])
    rows = [
        {"series_id": series_id, "resolution": resolution, "day": day, "data": buckets.pack()}
        for (series_id, resolution, day), buckets in days.items()
    ]
    given = insert(_ROLLUPS)
    changed = {"data": given.excluded.data, "written_at": database_now()}
    index = [_ROLLUPS.c.series_id, _ROLLUPS.c.resolution, _ROLLUPS.c.day]
    session.execute(given.on_conflict_do_update(index_elements=index, set_=changed), rows)


def make_metric_partitions(session: Session) -> None:
    """See that samples and roll-ups have room for this week and the next four."""
    make_partitions(session, MetricChunk.__tablename__, "written_at")
    make_partitions(session, MetricRollup.__tablename__, "day")


def old_metrics(session: Session, sample_days: int, rollup_days: int) -> list[Partition]:
    """Return the weeks of samples, and of roll-ups, that are older than these are kept."""
    chunks = old_partitions(session, MetricChunk.__tablename__, sample_days)
    return [*chunks, *old_partitions(session, MetricRollup.__tablename__, rollup_days)]


def forget_silent(session: Session, rollup_days: int, limit: int = 1000) -> int:
    """Delete some series that nobody has written to for as long as roll-ups are kept; returns how many."""
    silent = MetricSeries.written_at < database_now() - sql_days(rollup_days)
    ids = list(session.scalars(select(MetricSeries.id).where(silent).limit(limit)))
    session.execute(delete(_ROLLUPS).where(_ROLLUPS.c.series_id.in_(ids)))
    gone = delete(MetricSeries).where(MetricSeries.id.in_(ids)).execution_options(synchronize_session=False)
    session.execute(gone)
    return len(ids)
