"""The tables of clusters."""

from app.clusters.models.apply import ClusterApply, apply_context
from app.clusters.models.cluster import (
    CONNECTED,
    DELETING,
    DISCONNECTED,
    ERROR,
    PENDING,
    PROVISIONING,
    STATUSES,
    Cluster,
    key_of,
    vault_context,
)
from app.clusters.models.health import ClusterCheck, ClusterHealth
from app.clusters.models.inventory import (
    DEPLOYMENTS,
    EVENTS,
    KINDS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    WATCHED,
    ClusterInventory,
    ClusterObject,
)

__all__ = [
    "CONNECTED",
    "DELETING",
    "DEPLOYMENTS",
    "DISCONNECTED",
    "ERROR",
    "EVENTS",
    "KINDS",
    "NAMESPACES",
    "NODES",
    "PENDING",
    "PODS",
    "PROVISIONING",
    "SERVICES",
    "STATUSES",
    "WATCHED",
    "Cluster",
    "ClusterApply",
    "ClusterCheck",
    "ClusterHealth",
    "ClusterInventory",
    "ClusterObject",
    "apply_context",
    "key_of",
    "vault_context",
]
