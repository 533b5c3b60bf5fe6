"""Which clusters are let in, how they are watched, and what workspaces get on them."""

from __future__ import annotations

from dataclasses import dataclass

from config.declaring import setting


@dataclass(frozen=True)
class ClusterSettings:
    """Clusters and workspaces."""

    allow_private_clusters: bool = setting(False, "whether clusters may be on private networks")
    allow_loopback_clusters: bool = setting(False, "whether clusters may be on the platform's own machine")
    allow_unverified_clusters: bool = setting(False, "whether a cluster's certificate may go unverified")
    allow_local_clusters: bool = setting(False, "whether workers may run clusters in containers of their own machine")
    cluster_check_seconds: float = setting(60.0, "how often a cluster that is well is checked")
    cluster_check_timeout_seconds: float = setting(5.0, "how long one check may take")
    cluster_check_longest_seconds: float = setting(600.0, "longest pause between two checks of a cluster that fails")
    cluster_check_failures: int = setting(3, "failed checks in a row that make a cluster's status `error`")
    cluster_inventory_seconds: float = setting(120.0, "how often what is on a cluster is listed")
    cluster_inventory_objects: int = setting(2000, "objects of a kind that the inventory of a cluster may hold")
    cluster_watches: int = setting(32, "kinds of objects of clusters that a sweep watches at once; 0 only lists")
    vcluster_address: str = setting("", "where virtual clusters are (`https://{name}.example.com`); empty: none")
    vcluster_ingress_class: str = setting("nginx", "ingress class that hands TLS through to them")
    vcluster_image: str = setting("ghcr.io/loft-sh/vcluster-oss:0.24.1", "image of their control plane")
    vcluster_kubernetes_image: str = setting("ghcr.io/loft-sh/kubernetes:v1.32.1", "what brings their Kubernetes")
    kubeconfig_seconds: int = setting(3600, "life of the token in a member's kubeconfig of a workspace")
    provisioning_days: int = setting(90, "how long ended operations on workspaces, and repairs in them, are kept")
    verify_image: str = setting("registry.k8s.io/pause:3.9", "image of the pod that tries a new workspace's namespace")
