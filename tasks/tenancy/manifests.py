"""Manifests: the objects of a space, by what it has to be. Pure; docs/workspaces.md tells what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.tenancy import WantedSpace, names
from tasks.clusters.gateways.kubernetes import Kind, Object, kinds

QUOTA: Final = "headrace"
LIMITS: Final = "headrace"
SUSPENDED: Final = "headrace-suspended"
VERIFY: Final = "headrace-verify"
OURS: Final = f"app.kubernetes.io/managed-by={names.MANAGER}"

_RBAC: Final = "rbac.authorization.k8s.io"
_DNS: Final = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
_INSIDE: Final = {"admin": "cluster-admin", "edit": "edit", "view": "view"}
_EVERYONE: Final[Object] = {"podSelector": {}}

# What a container gets that does not say; a quota takes none that has neither said nor got it.
_LIMITS: Final = {
    "type": "Container",
    "default": {"cpu": "500m", "memory": "512Mi"},
    "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
}

Wanted = tuple[Kind, Object]


def labels_of(space: WantedSpace) -> dict[str, str]:
    """Return the labels by which everything of a space is found."""
    labels = {"app.kubernetes.io/managed-by": names.MANAGER, names.WORKSPACE_LABEL: str(space.workspace_id)}
    return labels | ({names.PROJECT_LABEL: str(space.project_id)} if space.project_id else {})


def _meta(space: WantedSpace, name: str, namespace: str | None = None) -> Object:
    return {"name": name, "namespace": namespace or space.name, "labels": labels_of(space)}


def namespace(space: WantedSpace, provisioning_id: UUID | None = None) -> Object:
    """Return the namespace; it says which operation made it, so that one that was left over is known again."""
    purpose = "workspace" if space.project_id is None else "project"
    return {"metadata": {"name": space.name, "labels": _namespace_labels(space, purpose, provisioning_id)}}


def access_namespace(space: WantedSpace, provisioning_id: UUID | None = None) -> Object:
    """Return the namespace that holds the accounts of a workspace's members."""
    return {"metadata": {"name": space.access, "labels": _namespace_labels(space, "access", provisioning_id)}}


def _namespace_labels(space: WantedSpace, purpose: str, provisioning_id: UUID | None) -> dict[str, str]:
    own = {names.PURPOSE_LABEL: purpose, "pod-security.kubernetes.io/enforce": "baseline"}
    made_by = {names.PROVISIONING_LABEL: str(provisioning_id)} if provisioning_id else {}
    return {**(space.labels if purpose == "project" else {}), **labels_of(space), **own, **made_by}


def quota(space: WantedSpace) -> Object:
    """Return the quota."""
    return {"metadata": _meta(space, QUOTA), "spec": {"hard": dict(space.hard)}}


def limit_range(space: WantedSpace) -> Object:
    """Return the limits that containers have by default."""
    return {"metadata": _meta(space, LIMITS), "spec": {"limits": [_LIMITS]}}


def frozen(space: WantedSpace) -> Object:
    """Return the quota of a suspended space: no pod begins in it."""
    return {"metadata": _meta(space, SUSPENDED), "spec": {"hard": {"pods": "0"}}}


def network_policies(space: WantedSpace) -> list[Object]:
    """Return the policies: nothing in or out but within the namespace, and questions for names to pods of the cluster.

    Policies add up, so what somebody allows beside these is allowed; what these say is repaired.
    """
    both = ["Ingress", "Egress"]
    within = {"ingress": [{"from": [_EVERYONE]}], "egress": [{"to": [_EVERYONE]}], "policyTypes": both}
    names_only = {"egress": [{"to": [{"namespaceSelector": {}}], "ports": _DNS}], "policyTypes": ["Egress"]}
    specs: dict[str, Object] = {
        "headrace-default-deny": {"policyTypes": both},
        "headrace-same-namespace": within,
        "headrace-dns": names_only,
    }
    return [{"metadata": _meta(space, name), "spec": {"podSelector": {}, **spec}} for name, spec in specs.items()]


def accounts(space: WantedSpace, users: Sequence[UUID]) -> list[Object]:
    """Return the service accounts of users; their pods, of which there are none, would get no token."""
    return [
        {"metadata": _meta(space, names.account_name(user_id), space.access), "automountServiceAccountToken": False}
        for user_id in users
    ]


def bindings(space: WantedSpace) -> list[Object]:
    """Return the role bindings: one for each role, to the cluster role of that name."""
    return [
        {
            "metadata": _meta(space, f"headrace-{role}"),
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [_subject(space, user_id) for user_id in users],
        }
        for role, users in sorted(space.users.items())
    ]


def bindings_inside(space: WantedSpace) -> list[Object]:
    """Return the cluster role bindings within a virtual cluster: whoever administers the workspace administers it."""
    return [
        {
            "metadata": {"name": f"headrace-{role}", "labels": labels_of(space)},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _INSIDE[role]},
            "subjects": [_subject(space, user_id) for user_id in users],
        }
        for role, users in sorted(space.users.items())
    ]


def _subject(space: WantedSpace, user_id: UUID) -> Object:
    return {"kind": "ServiceAccount", "name": names.account_name(user_id), "namespace": space.access}


def verify_pod(space: WantedSpace, image: str) -> Object:
    """Return a pod that does nothing, with few rights, to try whether pods are taken and find a node."""
    security: Mapping[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65535,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "10m", "memory": "16Mi"}}
    container = {"name": "verify", "image": image, "resources": resources, "securityContext": security}
    spec = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
    }
    return {"metadata": _meta(space, VERIFY), "spec": spec}


def policies_of(space: WantedSpace) -> list[Wanted]:
    """Return all that a workspace's or project's namespace has to hold, which is watched over and repaired."""
    some = [(kinds.RESOURCE_QUOTA, quota(space)), (kinds.LIMIT_RANGE, limit_range(space))]
    some += [(kinds.NETWORK_POLICY, policy) for policy in network_policies(space)]
    some += [(kinds.ROLE_BINDING, binding) for binding in bindings(space)]
    return some + ([(kinds.RESOURCE_QUOTA, frozen(space))] if space.suspended else [])
