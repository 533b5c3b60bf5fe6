"""What workers do for clusters: connect to them, check them, and remove them."""

from __future__ import annotations

from typing import Any

from app.clusters import ApplyManifests, CheckCluster, ConnectCluster, ProvisionCluster, RemoveCluster, SweepClusters
from app.jobs import Run
from tasks.clusters.applying import apply
from tasks.clusters.looking import check_now, connect
from tasks.clusters.providing import provision
from tasks.clusters.removing import remove
from tasks.clusters.sweeping import sweep
from tasks.handling import handles
from tasks.tools import Tools


@handles(ConnectCluster)
def connect_cluster(run: Run, intent: ConnectCluster, tools: Tools) -> dict[str, Any]:
    """Ask a cluster that was registered for the first time."""
    return connect(run, intent.cluster_id, tools)


@handles(CheckCluster)
def check_cluster(run: Run, intent: CheckCluster, tools: Tools) -> dict[str, Any]:
    """Check a cluster now."""
    return check_now(run, intent.cluster_id, tools)


@handles(RemoveCluster)
def remove_cluster(run: Run, intent: RemoveCluster, tools: Tools) -> None:
    """Forget a cluster, and have its provider take it away."""
    remove(run, intent.cluster_id, tools)


@handles(ProvisionCluster)
def provision_cluster(run: Run, intent: ProvisionCluster, tools: Tools) -> dict[str, Any] | None:
    """Have a provider make a cluster."""
    return provision(run, intent.cluster_id, tools)


@handles(SweepClusters)
def sweep_clusters(run: Run, _: SweepClusters, tools: Tools) -> dict[str, Any]:
    """Check and look into all clusters that are due."""
    return sweep(run, tools)


@handles(ApplyManifests)
def apply_manifests(run: Run, intent: ApplyManifests, tools: Tools) -> dict[str, Any]:
    """Apply manifests to a cluster."""
    return apply(run, intent.apply_id, tools)
