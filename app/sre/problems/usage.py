"""What is stored of the use of a cluster's volumes and processors, by the names that kubelets give it. The session
comes first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.monitoring import MICRO, MetricSeries, Points, read_points
from app.sre.facts import Fact, ProcessorUse, VolumeUse, Workloads, find_full_volumes, find_throttling
from app.sre.problems.signals import guess_workload

VOLUME_USED: Final = "kubelet_volume_stats_used_bytes"
VOLUME_SIZE: Final = "kubelet_volume_stats_capacity_bytes"
PERIODS: Final = "container_cpu_cfs_periods_total"
THROTTLED: Final = "container_cpu_cfs_throttled_periods_total"
VOLUME_SECONDS: Final = 6 * 3600
PROCESSOR_SECONDS: Final = 900
MOST_SERIES: Final = 2_000

Labels = tuple[str, ...]


def read_usage_facts(session: Session, cluster_id: UUID, workloads: Workloads, now: datetime) -> list[Fact]:
    """Return what is wrong with a cluster's volumes and processors, as far as somebody writes how they are used."""
    volumes = _read_volumes(session, cluster_id, now)
    processors = _read_processors(session, cluster_id, workloads, now)
    return [*find_full_volumes(volumes), *find_throttling(processors)]


def measured_clusters(session: Session, cluster_ids: Collection[UUID]) -> set[UUID]:
    """Return those of some clusters of which somebody writes how volumes or processors are used."""
    rows = select(MetricSeries.cluster_id).where(MetricSeries.cluster_id.in_(cluster_ids))
    found = session.scalars(rows.where(MetricSeries.name.in_((VOLUME_USED, THROTTLED))).distinct())
    return {one for one in found if one is not None}


def _read_volumes(session: Session, cluster_id: UUID, now: datetime) -> Iterator[VolumeUse]:
    labels = ("namespace", "persistentvolumeclaim")
    used = _read(session, cluster_id, VOLUME_USED, labels, now, VOLUME_SECONDS)
    sizes = _read(session, cluster_id, VOLUME_SIZE, labels, now, PROCESSOR_SECONDS) if used else {}
    for key, points in used.items():
        size = sizes.get(key)
        if size is not None and len(size):
            yield VolumeUse(key[0], key[1], points, float(size.values[-1]))


def _read_processors(session: Session, cluster_id: UUID, workloads: Workloads, now: datetime) -> Iterator[ProcessorUse]:
    labels = ("namespace", "pod", "container")
    throttled = _read(session, cluster_id, THROTTLED, labels, now, PROCESSOR_SECONDS)
    periods = _read(session, cluster_id, PERIODS, labels, now, PROCESSOR_SECONDS) if throttled else {}
    for key, points in throttled.items():
        namespace, pod, container = key
        if key in periods and container:
            workload = workloads.named(namespace, pod) or guess_workload(namespace, pod)
            yield ProcessorUse(workload, container, periods[key], points)


def _read(
    session: Session, cluster_id: UUID, name: str, labels: Labels, now: datetime, seconds: int
) -> Mapping[Labels, Points]:
    mine = select(MetricSeries).where(MetricSeries.cluster_id == cluster_id, MetricSeries.name == name)
    until = now.timestamp() * MICRO
    lately = mine.where(MetricSeries.newest >= until - seconds * MICRO).order_by(MetricSeries.id)
    rows = session.scalars(lately.limit(MOST_SERIES)).all()
    points = read_points(session, [row.id for row in rows], until - seconds * MICRO, until)
    found = {tuple(str(row.labels.get(label, "")) for label in labels): points[row.id] for row in rows}
    return {key: some for key, some in found.items() if len(some)}
