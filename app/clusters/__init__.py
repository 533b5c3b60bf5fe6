"""Clusters: the Kubernetes API servers that the platform knows, and what opens them."""

from app.clusters.access import Access, AccessRules, find_access_faults
from app.clusters.kubeconfig import KubeconfigInvalid, read_kubeconfig, write_kubeconfig

__all__ = [
    "Access",
    "AccessRules",
    "KubeconfigInvalid",
    "find_access_faults",
    "read_kubeconfig",
    "write_kubeconfig",
]
