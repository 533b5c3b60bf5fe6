"""The kinds that the server has, built in or by custom resource definitions, and how clients discover them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    """One kind of object. `status` and `scale` say which subresources it has."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    scale: bool = False
    schema: Object | None = field(default=None, compare=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """What the store files its objects under."""
        return f"{self.plural}.{self.group}"

    @property
    def shown(self) -> str:
        """What messages call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_RBAC = "rbac.authorization.k8s.io"
BUILT_IN = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, status=True),
    Resource("", "v1", "nodes", "Node", namespaced=False, status=True),
    Resource("", "v1", "pods", "Pod", status=True),
    Resource("", "v1", "services", "Service", status=True),
    Resource("", "v1", "endpoints", "Endpoints"),
    Resource("", "v1", "events", "Event"),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "resourcequotas", "ResourceQuota", status=True),
    Resource("", "v1", "limitranges", "LimitRange"),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", status=True),
    Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, status=True),
    Resource("apps", "v1", "deployments", "Deployment", status=True, scale=True),
    Resource("apps", "v1", "replicasets", "ReplicaSet", status=True, scale=True),
    Resource("apps", "v1", "statefulsets", "StatefulSet", status=True, scale=True),
    Resource("apps", "v1", "daemonsets", "DaemonSet", status=True),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", status=True),
    Resource("batch", "v1", "jobs", "Job", status=True),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource("networking.k8s.io", "v1", "ingresses", "Ingress", status=True),
    Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False),
    Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
    Resource(_RBAC, "v1", "roles", "Role"),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
        status=True,
    ),
)
# What metrics-server brings; see `Api.has_metrics`.
METRICS = (
    Resource("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False),
    Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics"),
)
BY_KEY = {resource.key: resource for resource in (*BUILT_IN, *METRICS)}
NAMESPACES, PODS = BY_KEY["namespaces."], BY_KEY["pods."]


def of_definition(definition: Object) -> list[Resource]:
    """The kinds that a custom resource definition adds: one for each version that is served."""
    spec = definition["spec"]
    return [
        Resource(
            spec["group"],
            version["name"],
            spec["names"]["plural"],
            spec["names"]["kind"],
            spec.get("scope", "Namespaced") == "Namespaced",
            "status" in version.get("subresources", {}),
            "scale" in version.get("subresources", {}),
            version.get("schema", {}).get("openAPIV3Schema"),
        )
        for version in spec["versions"]
        if version.get("served", True)
    ]


def discover(resources: Iterable[Resource], api_version: str) -> Object:
    """The APIResourceList of a group and version; without resources it does not exist."""
    entries: list[Object] = []
    for resource in resources:
        if resource.api_version != api_version:
            continue
        common = {"namespaced": resource.namespaced, "kind": resource.kind, "singularName": ""}
        entries.append({"name": resource.plural, "verbs": VERBS, **common})
        if resource.status:
            entries.append({"name": f"{resource.plural}/status", "verbs": ["get", "patch", "update"], **common})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": entries}


def discover_groups(resources: Iterable[Resource]) -> Object:
    """The APIGroupList."""
    groups: dict[str, list[str]] = {}
    for resource in resources:
        versions = groups.setdefault(resource.group, [])
        if resource.group and resource.version not in versions:
            versions.append(resource.version)
    listed = [
        {
            "name": group,
            "versions": [{"groupVersion": f"{group}/{version}", "version": version} for version in versions],
            "preferredVersion": {"groupVersion": f"{group}/{versions[0]}", "version": versions[0]},
        }
        for group, versions in groups.items()
        if group
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
