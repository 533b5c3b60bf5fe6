"""Writing samples. The rules:

- of two samples at one moment the one that was written first stays; the other is counted as a duplicate;
- a sample older than the newest of its series is *late*: it is kept in its place, and a scan never goes back for it;
- a new series beyond what the organization may have is refused, and all else is written.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
CHUNKS_AT_ONCE: Final = 20

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
_ADVANCE: Final = text(
    "UPDATE metric_series SET newest = greatest(newest, given.last), points = points + given.count, "
    "written_at = clock_timestamp() FROM unnest(CAST(:ids AS bigint[]), CAST(:lasts AS bigint[]), "
    "CAST(:counts AS integer[])) AS given (id, last, count) WHERE metric_series.id = given.id"
)


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
    chunks = []
    for series_id, newest, points in rows:
        fresh, late = _sift(session, series_id, newest, points)
        told.late += len(late)
        told.duplicates += len(points) - len(fresh) - len(late)
        chunks += [(series_id, part) for part in (fresh, late) if len(part)]
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


def _sift(session: Session, series_id: int, newest: int | None, points: Points) -> tuple[Points, Points]:
    """Return what is newer than all before, and what is late and was not there yet."""
    if newest is None or points.times[0] > newest:
        return points, NO_POINTS
    before, after = np.searchsorted(points.times, newest, side="left"), np.searchsorted(points.times, newest, "right")
    fresh = Points(points.times[after:], points.values[after:])
    late = Points(points.times[:before], points.values[:before])
    if not len(late):
        # The newest sample again, as pulls bring it that come more often than there are new ones: nothing to look up.
        return fresh, NO_POINTS
    return fresh, late.without(_times_there(session, series_id, late.times))


def _times_there(session: Session, series_id: int, times: Integers) -> Integers:
    """Return those of some ascending times at which a series has a sample. Of two that lie years apart, what is between
    them is not read; what is read is never in memory together."""
    chunks = table_of(MetricChunk)
    mine = (chunks.c.series_id == series_id, chunks.c.first <= int(times[-1]), chunks.c.last >= int(times[0]))
    bounds = session.execute(select(chunks.c.first, chunks.c.last, chunks.c.written_at).where(*mine)).all()
    begin = np.searchsorted(times, [row.first for row in bounds], side="left")
    end = np.searchsorted(times, [row.last for row in bounds], side="right")
    wanted = [(row.first, row.written_at) for row, some in zip(bounds, (begin < end).tolist(), strict=True) if some]
    there = [np.empty(0, np.int64)]
    for start in range(0, len(wanted), CHUNKS_AT_ONCE):
        named = tuple_(chunks.c.first, chunks.c.written_at).in_(wanted[start : start + CHUNKS_AT_ONCE])
        some = session.scalars(select(chunks.c.data).where(chunks.c.series_id == series_id, named))
        there += [np.intersect1d(times, unpack(bytes(data)).times) for data in some]
    return np.concatenate(there)
