"""What clusters and workspaces use of what they have, over time: series put together by what they measure. The session
comes first; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.monitoring.charts import RESOLUTIONS, Span, choose_resolution
from app.monitoring.language import Selector, parse
from app.monitoring.models import COARSE, FINE, MetricSeries
from app.monitoring.points import MICRO, Points, put_in_order
from app.monitoring.reading import matching, read_buckets, read_points, take_series
from app.monitoring.rollups import Buckets, coarsen, fold

MOST_SERIES: Final = 5_000
_REAL_DISKS: Final = '{fstype!~"tmpfs|overlay|squashfs|ramfs|iso9660|nsfs|devtmpfs"}'
_REAL_LINKS: Final = '{device!~"lo|veth.*|cali.*|cni.*|docker.*|flannel.*"}'


@dataclass(frozen=True, slots=True)
class Usage:
    """Something that is used: which series say how much (or how much is `free`), and of how much. What is `counted`
    only ever rises, and is shown per second."""

    name: str
    unit: str
    used: str = ""
    capacity: str = ""
    free: str = ""
    counted: bool = False


OF_CLUSTER: Final = (
    Usage("cpu", "cores", "kubernetes_node_cpu_cores", "kubernetes_node_cpu_allocatable_cores"),
    Usage("memory", "bytes", "kubernetes_node_memory_bytes", "kubernetes_node_memory_allocatable_bytes"),
    Usage(
        "disk",
        "bytes",
        capacity=f"node_filesystem_size_bytes{_REAL_DISKS}",
        free=f"node_filesystem_avail_bytes{_REAL_DISKS}",
    ),
    Usage("network_in", "bytes per second", f"node_network_receive_bytes_total{_REAL_LINKS}", counted=True),
    Usage("network_out", "bytes per second", f"node_network_transmit_bytes_total{_REAL_LINKS}", counted=True),
)
OF_WORKSPACE: Final = (
    Usage("cpu", "cores", "kubernetes_pod_cpu_cores", 'kubernetes_quota_hard{resource="requests.cpu"}'),
    Usage("memory", "bytes", "kubernetes_pod_memory_bytes", 'kubernetes_quota_hard{resource="requests.memory"}'),
)
USAGES: Final = tuple(usage.name for usage in OF_CLUSTER)


def read_usages(
    session: Session, rows: Select[MetricSeries], span: Span, usages: Iterable[Usage]
) -> dict[str, dict[str, Any]]:
    """Return for each usage its points and what they come to; one without any points has no figures.

    A moment's value is the sum over all series that have one then. Raises QueryTooWide.
    """
    return {usage.name: _read_usage(session, rows, span, usage) for usage in usages}


def _read_usage(session: Session, rows: Select[MetricSeries], span: Span, usage: Usage) -> dict[str, Any]:
    capacity = _add_up(session, rows, span, usage.capacity) if usage.capacity else None
    if usage.free:
        free = _add_up(session, rows, span, usage.free)
        used = _subtract(capacity or free, free)
    else:
        used = _add_up(session, rows, span, usage.used, counted=usage.counted)
    return {"unit": usage.unit, **_sum_up(used, capacity), "points": used.pairs()}


def _sum_up(used: Points, capacity: Points | None) -> dict[str, float | None]:
    values = used.values
    told: dict[str, float | None] = dict.fromkeys(
        ("current", "average", "peak", "percentile_95", "capacity", "percent")
    )
    if len(values):
        told |= {"current": float(values[-1]), "average": float(values.mean()), "peak": float(values.max())}
        told["percentile_95"] = float(np.quantile(values, 0.95))
    if capacity is not None and len(capacity):
        told["capacity"] = whole = float(capacity.values[-1])
        if len(values) and whole > 0:
            told["percent"] = round(float(values[-1]) / whole * 100, 2)
    return told


def _add_up(
    session: Session, rows: Select[MetricSeries], span: Span, selector: str, *, counted: bool = False
) -> Points:
    """Return the sum of all series that a text selects, in buckets that suit the time."""
    meant = parse(selector)
    if not isinstance(meant, Selector):
        raise TypeError(selector)
    ids = [row.id for row in take_series(session, matching(rows, meant), MOST_SERIES)]
    lines = [_rate(one) if counted else Points(one.starts, one.statistic("avg")) for one in _read(session, ids, span)]
    return add_points(lines)


def _read(session: Session, ids: Sequence[int], span: Span) -> list[Buckets]:
    width = RESOLUTIONS[choose_resolution(span)] or 60
    if width < FINE:
        found = read_points(session, ids, span.start * MICRO - 1, span.end * MICRO)
        return [fold(points, width) for points in found.values()]
    start = int(span.start // width * width) * MICRO
    buckets = read_buckets(session, ids, start, int(span.end * MICRO), FINE if width < COARSE else COARSE)
    return [coarsen(one, width) for one in buckets.values()]


def _rate(buckets: Buckets) -> Points:
    """Return by how much a counter rises per second, from bucket to bucket; where it begins anew nothing is known."""
    rises = np.diff(buckets.most) / (np.diff(buckets.starts) / MICRO)
    good = rises >= 0
    return Points(buckets.starts[1:][good], rises[good])


def add_points(lines: Sequence[Points]) -> Points:
    """Return the sum of several lines at each moment that one of them has."""
    if not lines:
        return Points(np.empty(0, np.int64), np.empty(0))
    times = np.concatenate([one.times for one in lines])
    moments, place = np.unique(times, return_inverse=True)
    values = np.zeros(len(moments))
    np.add.at(values, place, np.concatenate([one.values for one in lines]))
    return put_in_order(moments, values)


def _subtract(whole: Points, part: Points) -> Points:
    """Return the difference at each moment that both have."""
    times, mine, theirs = np.intersect1d(whole.times, part.times, assume_unique=True, return_indices=True)
    return Points(times, whole.values[mine] - part.values[theirs])


def choose_usages(usages: Sequence[Usage], named: str | None) -> Sequence[Usage]:
    """Return the usage of a name, or all of them."""
    return [usage for usage in usages if named in (None, usage.name)]


def count_statuses(counted: Iterable[tuple[str | None, int]]) -> dict[str, Any]:
    """Return how many there are in all, and of each status."""
    by_status: Mapping[str, int] = {status or "Unknown": count for status, count in counted}
    return {"total": sum(by_status.values()), "by_status": by_status}
