"""Clusters as Prometheus reads them: how they fare, and whether they are looked after in time."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.clusters.models import STATUSES, Cluster, ClusterHealth, ClusterInventory
from app.kernel.clock import database_now


def read_metrics(session: Session) -> Iterator[Metric]:
    """Return all metrics of clusters."""
    clusters = GaugeMetricFamily("headrace_clusters", "Clusters, by status", labels=["status"])
    rows = session.execute(select(Cluster.status, func.count()).group_by(Cluster.status))
    counted = {status: count for status, count in rows}  # noqa: C416 - rows are no pairs to the type checker
    for status in STATUSES:
        clusters.add_metric([status], counted.get(status, 0))
    yield clusters
    yield GaugeMetricFamily(
        "headrace_cluster_checks_late_seconds",
        "For how long the check of a cluster is due that waits longest",
        value=_lateness(session, ClusterHealth.next_check_at, true()),
    )
    yield GaugeMetricFamily(
        "headrace_cluster_inventories_late_seconds",
        "For how long the inventory of a cluster that answers is due, of that which waits longest",
        value=_lateness(session, ClusterHealth.next_inventory_at, ClusterHealth.failures == 0),
    )
    watched = select(func.count()).where(ClusterInventory.next_watch_at.is_not(None))
    yield GaugeMetricFamily(
        "headrace_cluster_watches",
        "Kinds of objects of clusters that are watched between their lists",
        value=session.execute(watched).scalar_one(),
    )


def _lateness(session: Session, due: InstrumentedAttribute[object], which: ColumnElement[bool]) -> float:
    age = func.extract("epoch", database_now() - func.min(due))
    seconds = session.execute(select(age).where(due <= database_now(), which)).scalar_one()
    return float(seconds or 0.0)
