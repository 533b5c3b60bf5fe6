"""The kinds of object that the platform itself makes or reads; others are found with `Cluster.find_kind`."""

from __future__ import annotations

from typing import Final

from tasks.clusters.gateways.kubernetes.base import Kind

_RBAC: Final = "rbac.authorization.k8s.io/v1"

NODE: Final = Kind("v1", "Node", "nodes", namespaced=False)
NAMESPACE: Final = Kind("v1", "Namespace", "namespaces", namespaced=False)
POD: Final = Kind("v1", "Pod", "pods")
SERVICE: Final = Kind("v1", "Service", "services")
EVENT: Final = Kind("v1", "Event", "events")
SECRET: Final = Kind("v1", "Secret", "secrets")
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT: Final = Kind("v1", "ServiceAccount", "serviceaccounts")
RESOURCE_QUOTA: Final = Kind("v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE: Final = Kind("v1", "LimitRange", "limitranges")
PERSISTENT_VOLUME_CLAIM: Final = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets")
DAEMON_SET: Final = Kind("apps/v1", "DaemonSet", "daemonsets")
JOB: Final = Kind("batch/v1", "Job", "jobs")
AUTOSCALER: Final = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
CERTIFICATE: Final = Kind("cert-manager.io/v1", "Certificate", "certificates")
NETWORK_POLICY: Final = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
ROLE: Final = Kind(_RBAC, "Role", "roles")
ROLE_BINDING: Final = Kind(_RBAC, "RoleBinding", "rolebindings")
CLUSTER_ROLE: Final = Kind(_RBAC, "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING: Final = Kind(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
CUSTOM_RESOURCE_DEFINITION: Final = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
