"""Writing samples. The rules:

- of two samples at one moment the one that was written first stays; the other is counted as a duplicate;
- a sample older than the newest of its series is *late*: it is kept in its place, and a scan never goes back for it;
- a new series beyond what the organization may have is refused, and all else is written.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import ARRAY, LargeBinary, cast, func, literal, select, text, tuple_
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.monitoring.incoming import Incoming, gather
from app.monitoring.models import MetricChunk, MetricSeries
from app.monitoring.naming import fingerprint, text_of
from app.monitoring.points import NO_POINTS, Integers, Points, pack, unpack

MOST_NAMED: Final = 10
CHUNKS_AT_ONCE: Final = 1_000
SAMPLES_AT_ONCE: Final = 100_000

_MAKE: Final = text(
    "INSERT INTO metric_series (organization_id, workspace_id, cluster_id, name, labels, fingerprint) "
    "SELECT CAST(:organization_id AS uuid), CAST(:workspace_id AS uuid), CAST(:cluster_id AS uuid), name, labels, "
    "fingerprint "
    "FROM unnest(CAST(:names AS text[]), CAST(:labels AS jsonb[]), CAST(:keys AS bytea[])) "
    "AS given (name, labels, fingerprint) ON CONFLICT (organization_id, fingerprint) DO NOTHING"
)
_ADD: Final = text(
    "INSERT INTO metric_chunks (series_id, first, last, count, data) SELECT * FROM unnest(CAST(:ids AS bigint[]), "
    "CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]), CAST(:counts AS integer[]), CAST(:data AS bytea[]))"
)
_OVERLAPPING: Final = text(
    "SELECT series_id, chunks.first, written_at, chunks.last, chunks.count FROM metric_chunks AS chunks "
    "JOIN unnest(CAST(:ids AS bigint[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) "
    "AS given (id, first, last) ON series_id = given.id AND chunks.first <= given.last AND chunks.last >= given.first"
)
_ADVANCE: Final = text(
    "UPDATE metric_series SET newest = greatest(newest, given.last), points = points + given.count, "
    "written_at = clock_timestamp() FROM unnest(CAST(:ids AS bigint[]), CAST(:lasts AS bigint[]), "
    "CAST(:counts AS integer[])) AS given (id, last, count) WHERE metric_series.id = given.id"
)

_Chunk = tuple[int, int, datetime]
"""What a chunk goes by: its series, its first moment, and when it was written."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where series lie: in an organization, and perhaps in a workspace or a cluster of it."""

    organization_id: UUID
    workspace_id: UUID | None = None
    cluster_id: UUID | None = None


@dataclass(slots=True)
class Written:
    """What became of the samples that came: new ones, of which some were late, and those that were there already;
    the series that were new, and those that are refused, with the limit."""

    accepted: int = 0
    late: int = 0
    duplicates: int = 0
    new_series: int = 0
    refused_series: int = 0
    refused_samples: int = 0
    refused: list[str] = field(default_factory=list)


def write_samples(session: Session, place: Place, series: Iterable[Incoming], limit: int) -> Written:
    """Write samples; `limit` is how many series the organization may have, 0 for any number."""
    given = gather(series)
    told = Written(duplicates=sum(one.repeated for one in given))
    keys = {fingerprint(one.name, one.labels, place.workspace_id, place.cluster_id): one for one in given}
    known = _lock(session, place, keys)
    if missing := [key for key in keys if key not in known]:
        told.new_series = _make(session, place, {key: keys[key] for key in missing}, limit, told)
        known = _lock(session, place, keys)
    rows = [(known[key], keys[key].points) for key in keys if key in known and len(keys[key].points)]
    _write(session, [(row_id, newest, points) for (row_id, newest), points in rows], told)
    return told


def _lock(session: Session, place: Place, keys: Iterable[bytes]) -> dict[bytes, tuple[int, int | None]]:
    """Lock the series there are, in one order, and return their ids and newest times."""
    given = func.unnest(cast(literal(_byte_array(keys)), ARRAY(LargeBinary)))
    columns = (MetricSeries.fingerprint, MetricSeries.id, MetricSeries.newest)
    mine = MetricSeries.organization_id == place.organization_id
    rows = select(*columns).where(mine, MetricSeries.fingerprint.in_(select(given)))
    found = session.execute(rows.order_by(MetricSeries.id).with_for_update(of=MetricSeries))
    return {bytes(row.fingerprint): (row.id, row.newest) for row in found}


def _make(session: Session, place: Place, missing: Mapping[bytes, Incoming], limit: int, told: Written) -> int:
    """Make series as far as there is room; one writer of the organization at a time, so that the count is right."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
    session.execute(lock, {"name": f"metric_series:{place.organization_id}"})
    counted = select(func.count()).where(MetricSeries.organization_id == place.organization_id)
    room = max(limit - session.execute(counted).scalar_one(), 0) if limit else len(missing)
    keys = list(missing)[:room]
    _refuse(told, [missing[key] for key in list(missing)[room:]])
    if not keys:
        return 0
    made: Any = session.execute(
        _MAKE,
        {
            "organization_id": place.organization_id,
            "workspace_id": place.workspace_id,
            "cluster_id": place.cluster_id,
            "names": [missing[key].name for key in keys],
            "labels": [orjson.dumps(missing[key].labels).decode() for key in keys],
            "keys": keys,
        },
    )
    return int(made.rowcount)


def _refuse(told: Written, refused: Sequence[Incoming]) -> None:
    told.refused_series = len(refused)
    told.refused_samples = sum(len(one.points) for one in refused)
    told.refused = [text_of(one.name, one.labels) for one in refused[:MOST_NAMED]]


def _write(session: Session, rows: Iterable[tuple[int, int | None, Points]], told: Written) -> None:
    chunks: list[tuple[int, Points]] = []
    late: dict[int, Points] = {}
    for series_id, newest, points in rows:
        fresh, before = _split(points, newest)
        told.duplicates += len(points) - len(fresh) - len(before)
        if len(fresh):
            chunks.append((series_id, fresh))
        if len(before):
            late[series_id] = before
    for series_id, times in _times_there(session, late).items():
        told.duplicates += len(times)
        late[series_id] = late[series_id].without(times)
    told.late = sum(len(points) for points in late.values())
    chunks += [(series_id, points) for series_id, points in late.items() if len(points)]
    if not chunks:
        return
    told.accepted = sum(len(points) for _, points in chunks)
    values: dict[str, Any] = {
        "ids": _number_array(series_id for series_id, _ in chunks),
        "firsts": _number_array(points.times[0] for _, points in chunks),
        "lasts": _number_array(points.times[-1] for _, points in chunks),
        "counts": _number_array(len(points) for _, points in chunks),
        "data": _byte_array(pack(points) for _, points in chunks),
    }
    session.execute(_ADD, values)
    session.execute(_ADVANCE, _sum_up(chunks))


def _sum_up(chunks: Iterable[tuple[int, Points]]) -> dict[str, str]:
    """Return each series once: an UPDATE takes one of several rows that it is joined with."""
    lasts: dict[int, int] = {}
    counts: dict[int, int] = {}
    for series_id, points in chunks:
        lasts[series_id] = max(lasts.get(series_id, 0), int(points.times[-1]))
        counts[series_id] = counts.get(series_id, 0) + len(points)
    return {
        "ids": _number_array(lasts),
        "lasts": _number_array(lasts.values()),
        "counts": _number_array(counts.values()),
    }


def _number_array(numbers: Iterable[int]) -> str:
    """Return an array as PostgreSQL reads it: for thousands of numbers the driver takes ten times as long."""
    return "{" + ",".join(map(str, numbers)) + "}"


def _byte_array(parts: Iterable[bytes]) -> str:
    return "{" + ",".join(f'"\\\\x{part.hex()}"' for part in parts) + "}"


def _split(points: Points, newest: int | None) -> tuple[Points, Points]:
    """Return what is newer than all before, and what is older; the newest again, as pulls bring it that come more often
    than there are new ones, is neither."""
    if newest is None or points.times[0] > newest:
        return points, NO_POINTS
    before, after = np.searchsorted(points.times, newest, side="left"), np.searchsorted(points.times, newest, "right")
    fresh = Points(points.times[after:], points.values[after:])
    return fresh, Points(points.times[:before], points.values[:before])


def _times_there(session: Session, late: Mapping[int, Points]) -> dict[int, Integers]:
    """Return at which of some ascending times each series has a sample already. Of two that lie years apart, what is
    between them is not read; what is read is never in memory together."""
    there = dict[int, Integers]()
    for some in _batches(_overlapping(session, late)):
        chunks = table_of(MetricChunk)
        named = tuple_(chunks.c.series_id, chunks.c.first, chunks.c.written_at).in_(some)
        for series_id, data in session.execute(select(chunks.c.series_id, chunks.c.data).where(named)):
            found = np.intersect1d(late[series_id].times, unpack(bytes(data)).times)
            there[series_id] = np.union1d(there[series_id], found) if series_id in there else found
    return there


def _overlapping(session: Session, late: Mapping[int, Points]) -> Iterator[tuple[_Chunk, int]]:
    """Yield the chunks in whose time some points lie, and how many samples each has."""
    if not late:
        return
    given = {
        "ids": _number_array(late),
        "firsts": _number_array(points.times[0] for points in late.values()),
        "lasts": _number_array(points.times[-1] for points in late.values()),
    }
    for series_id, first, written_at, last, count in session.execute(_OVERLAPPING, given).all():
        times = late[series_id].times
        if np.searchsorted(times, first, side="left") < np.searchsorted(times, last, side="right"):
            yield (series_id, first, written_at), count


def _batches(chunks: Iterable[tuple[_Chunk, int]]) -> Iterator[list[_Chunk]]:
    some, samples = list[_Chunk](), 0
    for chunk, count in chunks:
        some.append(chunk)
        samples += count
        if samples >= SAMPLES_AT_ONCE or len(some) == CHUNKS_AT_ONCE:
            yield some
            some, samples = [], 0
    if some:
        yield some
