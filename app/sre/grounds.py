"""What recommendations are made of: a cluster's workloads as they were last seen, and which series tell what their
containers use. No cluster is asked. The session comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clusters import (
    AUTOSCALERS,
    CERTIFICATES,
    CONNECTED,
    DEPLOYMENTS,
    PODS,
    Cluster,
    Seen,
    inventories_of,
    read_objects,
)
from app.kernel.clock import database_now
from app.monitoring import MICRO, MetricSeries, Points, read_points
from app.sre.recommending import PodUse, Workload, find_workload, group_workloads, measure_use
from app.sre.recommending.workloads import Key

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
MEMORY: Final = "memory"
TELLS: Final[Mapping[str, str]] = {
    "container_cpu_usage_seconds_total": COUNTER,
    "container_cpu_usage": GAUGE,
    "kubernetes_pod_cpu_cores": GAUGE,
    "container_memory_working_set_bytes": MEMORY,
    "container_memory_usage": MEMORY,
    "kubernetes_pod_memory_bytes": MEMORY,
}
"""The series that tell what containers use, by name; their labels are `namespace`, `pod` and `container`."""

NEEDED: Final = (PODS, DEPLOYMENTS, AUTOSCALERS)
MOST_CONTAINERS: Final = 200
# Whoever writes a cluster's samples says how many series a container has, and how many samples.
MOST_SERIES: Final = 8
MOST_SAMPLES: Final = 40_000_000

Held = Mapping[str, Sequence[int]]
"""The ids of the series of a container of a pod, by what they tell."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """A cluster as it was last seen. `series` are those of each workload's containers, by pod and container; without
    `is_whole` there is more than was listed. `missing` says what is not known that has to be."""

    cluster_id: UUID
    organization_id: UUID
    cluster_name: str
    now: datetime
    workloads: Sequence[Workload] = ()
    certificates: Sequence[Seen] = ()
    series: Mapping[Key, Mapping[tuple[str, str], Held]] = field(default_factory=dict)
    is_whole: bool = True
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of what a container of a pod has used, by what they tell."""

    pod: str
    container: str
    told: Mapping[str, Sequence[Points]]


def read_grounds(session: Session, cluster_id: UUID, history: float) -> Grounds | None:
    """Return what is known of a cluster; the series are those that had samples in the last `history` seconds. None
    where the cluster is gone."""
    cluster = session.get(Cluster, cluster_id)
    if cluster is None:
        return None
    now = session.execute(select(database_now())).scalar_one()
    listed = {one.kind: one for one in inventories_of(session, cluster_id)}
    missing = next((kind for kind in NEEDED if kind not in listed or listed[kind].error is not None), None)
    if cluster.status != CONNECTED or missing is not None:
        why = f"{missing} could not be listed" if missing else f"the cluster is {cluster.status}"
        return Grounds(cluster_id, cluster.organization_id, cluster.name, now, missing=why)
    objects = read_objects(session, cluster_id, *NEEDED, CERTIFICATES)
    workloads = group_workloads(objects)
    return Grounds(
        cluster_id=cluster_id,
        organization_id=cluster.organization_id,
        cluster_name=cluster.name,
        now=now,
        workloads=workloads,
        certificates=objects[CERTIFICATES],
        series=_find_series(session, cluster_id, workloads, now.timestamp() - history),
        is_whole=not any(one.truncated for one in listed.values()),
    )


def _find_series(
    session: Session, cluster_id: UUID, workloads: Iterable[Workload], after: float
) -> dict[Key, dict[tuple[str, str], dict[str, list[int]]]]:
    known = {one.key: one for one in workloads}
    pods = {(one.namespace, pod): one.key for one in known.values() for pod in one.pods}
    mine = (MetricSeries.cluster_id == cluster_id, MetricSeries.name.in_(TELLS), MetricSeries.newest >= after * MICRO)
    columns = select(MetricSeries.id, MetricSeries.name, MetricSeries.labels).where(*mine)
    found: dict[Key, dict[tuple[str, str], dict[str, list[int]]]] = {}
    for series_id, name, labels in session.execute(columns.order_by(MetricSeries.newest.desc(), MetricSeries.id)):
        pod, container = labels.get("pod", ""), labels.get("container", "")
        key = find_workload(known, pods, (labels.get("namespace", ""), pod))
        if key is not None and container:
            told = found.setdefault(key, {}).setdefault((pod, container), {}).setdefault(TELLS[name], [])
            told += [series_id] if len(told) < MOST_SERIES else []
    return found


def read_samples(session: Session, grounds: Grounds, key: Key, after: float) -> Iterator[Samples]:
    """Yield the samples of a workload's containers since `after`, in seconds: of the MOST_CONTAINERS newest, if it had
    more, until there are MOST_SAMPLES. Two weeks of one are megabytes. Raises QueryTooWide where one alone has more
    than can be read."""
    until, left = grounds.now.timestamp() * MICRO, MOST_SAMPLES
    held = grounds.series.get(key, {})
    for (pod, container), told in islice(held.items(), MOST_CONTAINERS):
        ids = [series_id for some in told.values() for series_id in some]
        points = read_points(session, ids, after * MICRO, until)
        yield Samples(pod, container, {what: [points[one] for one in some] for what, some in told.items()})
        left -= sum(map(len, points.values()))
        if left <= 0:
            return


def measure_samples(samples: Iterable[Samples]) -> dict[str, list[PodUse]]:
    """Return what containers have used, by their names."""
    uses: dict[str, list[PodUse]] = {}
    for one in samples:
        use = measure_use(one.pod, one.told.get(COUNTER, ()), one.told.get(GAUGE, ()), one.told.get(MEMORY, ()))
        if use.last:
            uses.setdefault(one.container, []).append(use)
    return uses
