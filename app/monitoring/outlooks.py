"""What fills up, and when it will be full: disks, memory and quotas, from the roll-ups of their series. The session
comes first; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.monitoring.forecasting import FULL, UNKNOWN, Forecast, forecast, moment_after
from app.monitoring.models import COARSE, MetricSeries
from app.monitoring.points import MICRO, Points
from app.monitoring.reading import moment_of, read_buckets, take_series
from app.monitoring.rollups import Buckets

DISK: Final = "disk"
MEMORY: Final = "memory"
QUOTA: Final = "quota"
KINDS: Final = (DISK, MEMORY, QUOTA)
HISTORY_SECONDS: Final = 14 * 86_400
# What was not measured for so long is gone.
SILENT_SECONDS: Final = 2 * 86_400
MOST_SERIES: Final = 1_000
_PASSING: Final = ("tmpfs", "overlay", "squashfs", "ramfs", "iso9660", "nsfs", "devtmpfs")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two names whose series of the same labels belong together: how much is used, or left where it is `free`; and of
    how much."""

    kind: str
    used: str
    capacity: str
    free: bool = False


PAIRS: Final = (
    _Pair(DISK, "node_filesystem_avail_bytes", "node_filesystem_size_bytes", free=True),
    _Pair(DISK, "kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"),
    _Pair(MEMORY, "kubernetes_node_memory_bytes", "kubernetes_node_memory_allocatable_bytes"),
    _Pair(MEMORY, "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes", free=True),
    _Pair(QUOTA, "kubernetes_quota_used", "kubernetes_quota_hard"),
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Something that may fill up, by the series that measures it, and what is to be expected of it; times are moments,
    None for never as far as a year's look goes."""

    kind: str
    series: str
    labels: dict[str, Any]
    organization_id: UUID
    workspace_id: UUID | None
    cluster_id: UUID | None
    forecast: Forecast
    measured_at: datetime
    full_at: datetime | None
    earliest_at: datetime | None
    latest_at: datetime | None


def read_outlooks(
    session: Session, rows: Select[MetricSeries], now: float, kinds: Collection[str] = KINDS
) -> list[Outlook]:
    """Return what fills up of a selection of series, the most pressing first; `now` is in seconds since the epoch.

    Raises QueryTooWide where there are more than MOST_SERIES that measure such things.
    """
    pairs = [pair for pair in PAIRS if pair.kind in kinds]
    names = {name for pair in pairs for name in (pair.used, pair.capacity)}
    fresh = MetricSeries.newest > int((now - SILENT_SECONDS) * MICRO)
    found = take_series(session, rows.where(MetricSeries.name.in_(names), fresh), MOST_SERIES)
    start = int((now - HISTORY_SECONDS) // COARSE * COARSE) * MICRO
    buckets = read_buckets(session, [row.id for row in found], start, int(now * MICRO), COARSE)
    outlooks = [one for pair in pairs for one in _join(pair, found, buckets)]
    return sorted(outlooks, key=_urgency)


def _join(pair: _Pair, found: Iterable[MetricSeries], buckets: dict[int, Buckets]) -> Iterator[Outlook]:
    capacities = {_key(row): row for row in found if row.name == pair.capacity}
    for row in found:
        whole = capacities.get(_key(row)) if row.name == pair.used else None
        if whole is None or row.labels.get("fstype") in _PASSING:
            continue
        used = _measure(pair, buckets[row.id], buckets[whole.id])
        if used is not None:
            yield _look(pair, row, *used)


def _key(row: MetricSeries) -> Any:
    return (row.workspace_id, row.cluster_id, tuple(sorted(row.labels.items())))


def _measure(pair: _Pair, used: Buckets, whole: Buckets) -> tuple[Points, float] | None:
    """Return hourly points of what is used, and the newest capacity; None where nothing was measured."""
    if not len(used) or not len(whole):
        return None
    if not pair.free:
        return Points(used.starts, used.statistic("avg")), float(whole.statistic("avg")[-1])
    times, mine, theirs = np.intersect1d(used.starts, whole.starts, assume_unique=True, return_indices=True)
    if not len(times):
        return None
    sizes = whole.statistic("avg")[theirs]
    return Points(times, sizes - used.statistic("avg")[mine]), float(sizes[-1])


def _look(pair: _Pair, row: MetricSeries, points: Points, capacity: float) -> Outlook:
    seen = forecast(points, capacity)
    moments = (moment_after(points, seconds) for seconds in (seen.expected, seen.earliest, seen.latest))
    full, earliest, latest = (None if at is None else moment_of(at) for at in moments)
    places = (row.organization_id, row.workspace_id, row.cluster_id)
    return Outlook(pair.kind, row.text, row.labels, *places, seen, moment_of(points.times[-1]), full, earliest, latest)


def _urgency(one: Outlook) -> tuple[float, float]:
    """Sort by when it may be full, then by how full it is."""
    soonest = one.forecast.earliest if one.forecast.state not in (UNKNOWN, FULL) else None
    if one.forecast.state == FULL:
        soonest = 0.0
    share = one.forecast.level / one.forecast.capacity if one.forecast.capacity else 0.0
    return (float("inf") if soonest is None else soonest, -share)


def choose_outlooks(outlooks: Iterable[Outlook], state: str | None, within: float | None) -> list[Outlook]:
    """Return those of a state, and those that may be full within so many seconds."""
    return [
        one
        for one in outlooks
        if state in (None, one.forecast.state)
        and (within is None or (one.forecast.earliest is not None and one.forecast.earliest <= within))
    ]
