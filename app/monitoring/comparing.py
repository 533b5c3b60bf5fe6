"""What clusters use now: of what they have, and against the time before. The session comes first; nothing here
writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.monitoring.charts import Span
from app.monitoring.models import MetricSeries
from app.monitoring.points import MICRO
from app.monitoring.reading import read_points, take_series
from app.monitoring.usage import OF_CLUSTER, read_usages

# What is newest of so long is how things are now.
NOW_SECONDS: Final = 600.0
HOUR: Final = 3600.0
MOST_SERIES: Final = 20_000
# By so many percent more or less than before it is unusual, and very much so.
UNUSUAL: Final = 30.0
STRANGE: Final = 100.0
_SHARES: Final = {
    "processor": ("kubernetes_node_cpu_cores", "kubernetes_node_cpu_allocatable_cores"),
    "memory": ("kubernetes_node_memory_bytes", "kubernetes_node_memory_allocatable_bytes"),
}


def shares_of_clusters(session: Session, ids: Collection[UUID], now: float) -> dict[UUID, dict[str, float]]:
    """Return how much of its processor and memory each cluster uses, from 0 to 1, where that is measured; `now` is in
    seconds since the epoch."""
    names = [name for pair in _SHARES.values() for name in pair]
    fresh = MetricSeries.newest > int((now - NOW_SECONDS) * MICRO)
    rows = select(MetricSeries).where(MetricSeries.cluster_id.in_(ids), MetricSeries.name.in_(names), fresh)
    found = take_series(session, rows, MOST_SERIES)
    points = read_points(session, [row.id for row in found], (now - NOW_SECONDS) * MICRO, now * MICRO)
    sums: dict[tuple[UUID | None, str], float] = defaultdict(float)
    for row in found:
        if len(points[row.id]):
            sums[row.cluster_id, row.name] += float(points[row.id].values[-1])
    return {cluster_id: dict(_shares_of(cluster_id, sums)) for cluster_id in ids}


def _shares_of(cluster_id: UUID, sums: dict[tuple[UUID | None, str], float]) -> Iterator[tuple[str, float]]:
    for what, (used, whole) in _SHARES.items():
        if (cluster_id, used) in sums and sums.get((cluster_id, whole), 0.0) > 0:
            yield what, sums[cluster_id, used] / sums[cluster_id, whole]


def compare_usages(session: Session, cluster_id: UUID, now: float, seconds: float) -> list[dict[str, Any]]:
    """Return what a cluster has used in the last hour, against its average of so many seconds before that."""
    rows = select(MetricSeries).where(MetricSeries.cluster_id == cluster_id)
    fresh = read_usages(session, rows, Span(now - HOUR, now), OF_CLUSTER)
    before = read_usages(session, rows, Span(now - HOUR - seconds, now - HOUR), OF_CLUSTER)
    compared = []
    for name, usage in fresh.items():
        current, baseline = usage["average"], before[name]["average"]
        if current is not None and baseline is not None:
            compared.append({"metric": name, "unit": usage["unit"], **_compare(current, baseline)})
    return compared


def _compare(current: float, baseline: float) -> dict[str, Any]:
    deviation = round((current - baseline) / abs(baseline) * 100, 1) if baseline else None
    far = abs(deviation or 0.0)
    status = "critical" if far >= STRANGE else "warning" if far >= UNUSUAL else "normal"
    return {"current": current, "baseline": baseline, "deviation_percent": deviation, "status": status}
