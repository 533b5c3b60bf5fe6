"""How a cluster or a workspace fares, from what is known of it: nobody is asked. The session comes first; nothing here
writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from app.clusters import NAMESPACES, NODES, PODS, Cluster, ClusterHealth, ClusterInventory, ClusterObject
from app.monitoring.charts import Span, choose_resolution
from app.monitoring.models import Alert, MetricSeries
from app.monitoring.points import MICRO
from app.monitoring.reading import moment_of
from app.monitoring.usage import OF_CLUSTER, OF_WORKSPACE, choose_usages, count_statuses, read_usages
from app.tenancy import ACTIVE, SUSPENDED, Workspace, namespaces_of

HEALTHY: Final = "healthy"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
UNKNOWN: Final = "unknown"
LEVELS: Final = (HEALTHY, UNKNOWN, WARNING, CRITICAL)
"""From well to bad; the worst of the parts is the whole's."""
# Of pods; any other status is why a container waits or has ended.
AT_WORK: Final = frozenset(
    {"Running", "Succeeded", "Completed", "Pending", "ContainerCreating", "PodInitializing", "Terminating"}
)


@dataclass(frozen=True, slots=True)
class Check:
    """What one part is like, and why."""

    status: str
    message: str | None = None


def show_cluster(session: Session, cluster: Cluster, span: Span, metric: str | None) -> dict[str, Any]:
    """Return what a cluster has and uses; raises QueryTooWide."""
    rows = select(MetricSeries).where(MetricSeries.cluster_id == cluster.id)
    counted = {kind: _count(session, cluster.id, kind) for kind in (NODES, PODS, NAMESPACES)}
    return {
        "cluster_id": cluster.id,
        "status": cluster.status,
        "observed_at": _observed_at(session, cluster.id),
        **{kind: one for kind, one in counted.items() if kind != NAMESPACES},
        "namespaces": counted[NAMESPACES]["total"],
        "metrics": read_usages(session, rows, span, choose_usages(OF_CLUSTER, metric)),
        **_show_span(span),
    }


def show_workspace(session: Session, workspace: Workspace, span: Span, metric: str | None) -> dict[str, Any]:
    """Return what the namespaces of a workspace use, of what their quotas give; raises QueryTooWide."""
    namespaces = namespaces_of(session, workspace.id)
    # What lies in its own namespaces is the workspace's to see, whoever may see the rest of the cluster.
    inside = MetricSeries.labels["namespace"].astext.in_(namespaces)
    rows = select(MetricSeries).where(MetricSeries.cluster_id == workspace.host_id, inside)
    return {
        "workspace_id": workspace.id,
        "namespaces": namespaces,
        "metrics": read_usages(session, rows, span, choose_usages(OF_WORKSPACE, metric)),
        **_show_span(span),
    }


def _show_span(span: Span) -> dict[str, Any]:
    resolution = choose_resolution(span)
    moments = {"start": moment_of(span.start * MICRO), "end": moment_of(span.end * MICRO)}
    return moments | {"resolution": "1m" if resolution == "raw" else resolution}


def _count(session: Session, cluster_id: UUID, kind: str, namespaces: Collection[str] | None = None) -> dict[str, Any]:
    mine = (ClusterObject.cluster_id == cluster_id, ClusterObject.kind == kind)
    rows = select(ClusterObject.status, func.count()).where(*mine).group_by(ClusterObject.status)
    if namespaces is not None:
        rows = rows.where(ClusterObject.namespace.in_(namespaces))
    return count_statuses((row[0], row[1]) for row in session.execute(rows.order_by(ClusterObject.status)))


def _observed_at(session: Session, cluster_id: UUID) -> Any:
    oldest = select(func.min(ClusterInventory.observed_at)).where(ClusterInventory.cluster_id == cluster_id)
    return session.execute(oldest).scalar()


def check_workspace(session: Session, workspace: Workspace) -> dict[str, Any]:
    """Return how a workspace fares, part by part: as its cluster was seen last."""
    told: dict[str, Any] = {"workspace_id": workspace.id, "observed_at": None, "nodes": None, "pods": None}
    checks = {"workspace": _check_status(workspace)}
    health = session.get(ClusterHealth, workspace.host_id) if workspace.host_id else None
    if workspace.host_id and health is not None:
        pods = _count(session, workspace.host_id, PODS, namespaces_of(session, workspace.id))
        checks |= {"api_server": _check_server(health), "nodes": _check_nodes(health), "pods": _check_pods(pods)}
        nodes = {"total": health.node_count or 0, "ready": health.ready_nodes or 0}
        told |= {"observed_at": health.checked_at, "nodes": nodes, "pods": pods}
    worst = max((check.status for check in checks.values()), key=LEVELS.index)
    return told | {"status": worst, "checks": {name: asdict(check) for name, check in checks.items()}}


def _check_status(workspace: Workspace) -> Check:
    if workspace.status == ACTIVE:
        return Check(HEALTHY)
    level = {"failed": CRITICAL, SUSPENDED: WARNING}.get(workspace.status, UNKNOWN)
    return Check(level, workspace.status_reason or f"The workspace is {workspace.status}.")


def _check_server(health: ClusterHealth) -> Check:
    if health.checked_at is None:
        return Check(UNKNOWN, "The cluster was not checked yet.")
    if health.failures:
        return Check(CRITICAL, f"The last {health.failures} checks failed.")
    return Check(HEALTHY)


def _check_nodes(health: ClusterHealth) -> Check:
    if not health.node_count:
        return Check(UNKNOWN, "No nodes are known.")
    missing = health.node_count - (health.ready_nodes or 0)
    if not missing:
        return Check(HEALTHY)
    level = CRITICAL if missing == health.node_count else WARNING
    return Check(level, f"{missing} of {health.node_count} nodes are not ready.")


def _check_pods(pods: Mapping[str, Any]) -> Check:
    failing = dict(_find_failing(pods["by_status"]))
    if not failing:
        return Check(HEALTHY)
    said = ", ".join(f"{count} {status}" for status, count in failing.items())
    return Check(WARNING, f"{sum(failing.values())} of {pods['total']} pods do not run: {said}.")


def _find_failing(by_status: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((status, count) for status, count in by_status.items() if status not in AT_WORK)


def alerts_of_workspace(session: Session, workspace: Workspace, filters: Mapping[str, Any]) -> Select[Alert]:
    """Select the alerts of a workspace, and those of its cluster that are about its namespaces."""
    about = Alert.workspace_id == workspace.id
    if workspace.host_id is not None:
        inside = Alert.labels["namespace"].astext.in_(namespaces_of(session, workspace.id))
        about = or_(about, (Alert.cluster_id == workspace.host_id) & inside)
    equal = (getattr(Alert, name) == value for name, value in filters.items())
    return select(Alert).where(about, *equal)
