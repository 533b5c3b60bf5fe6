"""Clusters: the Kubernetes API servers that the platform knows, what opens them, and how they fare. Higher rooms find
one that a caller may use with `find_usable_cluster`, and object to its removal by `before_deletion`; workers open it
with `tasks.clusters.opening.open_cluster`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs
from app.clusters import hosts as _hosts
from app.clusters import places as _places
from app.clusters.access import Access, AccessRules, find_access_faults
from app.clusters.applying import ApplyRights, Order, read_order
from app.clusters.certificates import read_expiry
from app.clusters.checks import CheckRules, Found, record_checks
from app.clusters.credentials import open_access, reveal_access
from app.clusters.due import Due, take_due_checks, take_due_inventories
from app.clusters.errors import ClusterGone, ClusterInUse, ClusterNotReady, RemovalRefused
from app.clusters.hooks import before_deletion
from app.clusters.intents import (
    ApplyManifests,
    CheckCluster,
    ConnectCluster,
    ProvisionCluster,
    RemoveCluster,
    SweepClusters,
)
from app.clusters.inventory import Observed, Seen, record_inventory
from app.clusters.kubeconfig import KubeconfigInvalid, read_kubeconfig, write_kubeconfig
from app.clusters.manifests import Manifest
from app.clusters.models import (
    AUTOSCALERS,
    CERTIFICATES,
    CONNECTED,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    QUOTAS,
    SERVICES,
    Cluster,
    ClusterCheck,
    ClusterHealth,
    ClusterInventory,
    ClusterObject,
)
from app.clusters.observation import Observation, clusters_to_observe, find_doubtful, observation_of
from app.clusters.providers import LOCAL_PROGRAMS
from app.clusters.provisioning import (
    Wishes,
    keep_made,
    provisioning_ended,
    provisioning_retried,
    read_wishes_of,
    refuse_overdue,
)
from app.clusters.queries import find_usable_cluster, inventories_of, read_objects
from app.clusters.service import forget_cluster, removal_ended, removal_retried
from app.clusters.watching import News, Watched, record_news, take_due_watches

if TYPE_CHECKING:
    from app.clusters.routes import blueprints

every_place = (_places, _hosts)

jobs.follow(RemoveCluster.kind, ended=removal_ended, retried=removal_retried)
jobs.follow(ProvisionCluster.kind, ended=provisioning_ended, retried=provisioning_retried)

__all__ = [
    "AUTOSCALERS",
    "CERTIFICATES",
    "CONNECTED",
    "DEPLOYMENTS",
    "EVENTS",
    "JOBS",
    "LOCAL_PROGRAMS",
    "NAMESPACES",
    "NODES",
    "PODS",
    "QUOTAS",
    "SERVICES",
    "Access",
    "AccessRules",
    "ApplyManifests",
    "ApplyRights",
    "CheckCluster",
    "CheckRules",
    "Cluster",
    "ClusterCheck",
    "ClusterGone",
    "ClusterHealth",
    "ClusterInUse",
    "ClusterInventory",
    "ClusterNotReady",
    "ClusterObject",
    "ConnectCluster",
    "Due",
    "Found",
    "KubeconfigInvalid",
    "Manifest",
    "News",
    "Observation",
    "Observed",
    "Order",
    "ProvisionCluster",
    "RemovalRefused",
    "RemoveCluster",
    "Seen",
    "SweepClusters",
    "Watched",
    "Wishes",
    "before_deletion",
    "blueprints",
    "clusters_to_observe",
    "find_access_faults",
    "find_doubtful",
    "find_usable_cluster",
    "forget_cluster",
    "inventories_of",
    "keep_made",
    "observation_of",
    "open_access",
    "read_expiry",
    "read_kubeconfig",
    "read_objects",
    "read_order",
    "read_wishes_of",
    "record_checks",
    "record_inventory",
    "record_news",
    "refuse_overdue",
    "removal_ended",
    "reveal_access",
    "take_due_checks",
    "take_due_inventories",
    "take_due_watches",
    "write_kubeconfig",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.clusters.routes").blueprints
    raise AttributeError(name)
