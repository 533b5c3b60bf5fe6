"""How clusters are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.clusters.models import CONNECTED, Cluster, ClusterCheck, ClusterInventory

_SAME = (
    *("cluster_id", "checked_at", "answered_at", "latency_ms", "failures", "step", "code", "message"),
    *("node_count", "ready_nodes", "next_check_at"),
)


def show_health(
    cluster: Cluster, inventory: Sequence[ClusterInventory], recent: Sequence[ClusterCheck]
) -> dict[str, Any]:
    """Return how a cluster fares."""
    return {
        **{name: getattr(cluster.health, name) for name in _SAME},
        "status": cluster.status,
        "version": cluster.version,
        "healthy": cluster.status == CONNECTED and cluster.health.failures == 0,
        "warnings": list(_find_warnings(cluster)),
        "inventory": inventory,
        "recent": recent,
    }


def _find_warnings(cluster: Cluster) -> Iterator[str]:
    health = cluster.health
    if health.failures and cluster.status == CONNECTED:
        yield f"the last {health.failures} checks failed"
    if health.node_count is not None and health.ready_nodes is not None and health.ready_nodes < health.node_count:
        yield f"{health.node_count - health.ready_nodes} of {health.node_count} nodes are not ready"
