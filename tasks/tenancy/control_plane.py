"""The control plane of a virtual cluster, as objects within one namespace of its host. Pure; docs/workspaces.md tells
what is in them.

Forms: https://github.com/loft-sh/vcluster (chart of v0.24). Without its chart nothing is filled in: what the control
plane is to copy to and from its host is said here, and all else is off.
"""

from __future__ import annotations

import base64
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from app.tenancy import WantedSpace, names
from tasks.clusters.gateways.kubernetes import Kind, Object, kinds
from tasks.tenancy.manifests import Wanted, labels_of
from tasks.tools import VirtualRules

NAME: Final = names.CONTROL_PLANE
SECRET: Final = f"vc-{NAME}"
CONFIG: Final = f"vc-config-{NAME}"
ACCOUNT: Final = f"vc-{NAME}"
INGRESS: Final = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
INGRESS_CLASS: Final = Kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False)
KINDS: Final = (kinds.ROLE, kinds.SECRET, kinds.SERVICE, INGRESS, kinds.STATEFUL_SET)
"""Of its objects, those kinds that other workspaces have none of."""

_PORT: Final = 8443
_MARK: Final = {"app": "vcluster", "release": NAME}
_ALL: Final = ["create", "delete", "patch", "update", "get", "list", "watch"]
_READ: Final = ["get", "list", "watch"]
# Only what lies in the control plane's own namespace, and nothing of the whole host.
_RULES: Final[list[Object]] = [
    {
        "apiGroups": [""],
        "resources": ["configmaps", "secrets", "services", "pods", "persistentvolumeclaims", "endpoints"],
        "verbs": _ALL,
    },
    {"apiGroups": [""], "resources": ["pods/attach", "pods/portforward", "pods/exec"], "verbs": _ALL},
    {"apiGroups": [""], "resources": ["pods/status", "pods/ephemeralcontainers"], "verbs": ["patch", "update"]},
    {"apiGroups": [""], "resources": ["events", "pods/log"], "verbs": _READ},
    {"apiGroups": ["apps"], "resources": ["statefulsets", "replicasets", "deployments"], "verbs": _READ},
]
_ON: Final = {"enabled": True}
_OFF: Final = {"enabled": False}
_TO_HOST: Final = ("services", "endpoints", "persistentVolumeClaims", "configMaps", "secrets", "pods")
_NOT_TO_HOST: Final = (
    *("ingresses", "priorityClasses", "networkPolicies", "volumeSnapshots", "podDisruptionBudgets"),
    *("serviceAccounts", "storageClasses", "persistentVolumes", "namespaces"),
)
_FROM_HOST_OFF: Final = ("ingressClasses", "runtimeClasses", "priorityClasses", "nodes", "storageClasses", "csiNodes")
_RESOURCES: Final = {"requests": {"cpu": "200m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
_SMALL: Final = {"requests": {"cpu": "40m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "256Mi"}}
_DATA: Final = "5Gi"


def objects_of(space: WantedSpace, address: str, rules: VirtualRules) -> list[Wanted]:
    """Return all objects of a control plane that is reached at an address, in the order they are to be made."""
    return [
        (kinds.SERVICE_ACCOUNT, {"metadata": _meta(space, ACCOUNT)}),
        (kinds.ROLE, {"metadata": _meta(space, ACCOUNT), "rules": _RULES}),
        (kinds.ROLE_BINDING, _binding(space)),
        (kinds.SECRET, _config(space, address)),
        (kinds.NETWORK_POLICY, _policy(space)),
        (kinds.SERVICE, _service(space, NAME, {"type": "ClusterIP"})),
        (kinds.SERVICE, _service(space, f"{NAME}-headless", {"clusterIP": "None"})),
        (INGRESS, _ingress(space, address, rules)),
        (kinds.STATEFUL_SET, _stateful_set(space, rules)),
    ]


def _meta(space: WantedSpace, name: str) -> Object:
    return {"name": name, "namespace": space.name, "labels": {**labels_of(space), **_MARK}}


def _binding(space: WantedSpace) -> Object:
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": space.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    return {"metadata": _meta(space, ACCOUNT), "roleRef": role, "subjects": [subject]}


def _config(space: WantedSpace, address: str) -> Object:
    """Return what the control plane is told: what it copies, whom its certificate names, where it is reached."""
    from_host: dict[str, Any] = {"events": _ON, **dict.fromkeys(_FROM_HOST_OFF, _OFF)}
    said = {
        "sync": {
            "toHost": {**dict.fromkeys(_TO_HOST, _ON), **dict.fromkeys(_NOT_TO_HOST, _OFF)},
            "fromHost": from_host,
        },
        "controlPlane": {
            "distro": {"k8s": {**_ON, "apiServer": _ON, "controllerManager": _ON}},
            "backingStore": {"database": {"embedded": _ON}},
            "proxy": {"bindAddress": "0.0.0.0", "port": _PORT, "extraSANs": [host_of(address)]},  # noqa: S104 - in a pod
            "coredns": {**_ON, "deployment": {"replicas": 1, "resources": _SMALL}},
            "statefulSet": {"highAvailability": {"replicas": 1}},
        },
        "networking": {"advanced": {"clusterDomain": "cluster.local"}},
        "exportKubeConfig": {"server": address},
        "telemetry": _OFF,
    }
    text = yaml.safe_dump(said, sort_keys=True)
    return {"metadata": _meta(space, CONFIG), "data": {"config.yaml": base64.b64encode(text.encode()).decode()}}


def host_of(address: str) -> str:
    """Return the host name of an address."""
    return urlsplit(address).hostname or ""


def _policy(space: WantedSpace) -> Object:
    """The control plane alone is reached from outside of the namespace, and reaches the host's API server."""
    ports = [{"protocol": "TCP", "port": port} for port in (443, 6443, _PORT)]
    spec = {
        "podSelector": {"matchLabels": _MARK},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"protocol": "TCP", "port": _PORT}]}],
        "egress": [{"ports": ports}],
    }
    return {"metadata": _meta(space, "headrace-control-plane"), "spec": spec}


def _service(space: WantedSpace, name: str, how: Object) -> Object:
    ports = [{"name": "https", "port": 443, "targetPort": _PORT, "protocol": "TCP"}]
    return {"metadata": _meta(space, name), "spec": {**how, "selector": dict(_MARK), "ports": ports}}


def _ingress(space: WantedSpace, address: str, rules: VirtualRules) -> Object:
    """TLS is handed through: the control plane itself asks for client certificates and tokens."""
    said = {"backend-protocol": "HTTPS", "ssl-passthrough": "true", "ssl-redirect": "true"}
    notes = {f"nginx.ingress.kubernetes.io/{name}": value for name, value in said.items()}
    backend = {"service": {"name": NAME, "port": {"name": "https"}}}
    paths = [{"path": "/", "pathType": "ImplementationSpecific", "backend": backend}]
    spec = {"ingressClassName": rules.ingress_class, "rules": [{"host": host_of(address), "http": {"paths": paths}}]}
    return {"metadata": {**_meta(space, NAME), "annotations": notes}, "spec": spec}


def _stateful_set(space: WantedSpace, rules: VirtualRules) -> Object:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _DATA}}},
    }
    return {
        "metadata": _meta(space, NAME),
        "spec": {
            "replicas": 1,
            "serviceName": f"{NAME}-headless",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": dict(_MARK)},
            "template": {"metadata": {"labels": dict(_MARK)}, "spec": _pod_spec(rules)},
            "volumeClaimTemplates": [claim],
        },
    }


def _pod_spec(rules: VirtualRules) -> Object:
    secret = {"name": "vcluster-config", "secret": {"secretName": CONFIG}}
    empty: list[Object] = [{"name": name, "emptyDir": {}} for name in ("binaries", "certs", "tmp", "helm-cache")]
    kubernetes = {
        "name": "kubernetes",
        "image": rules.kubernetes_image,
        "command": ["cp"],
        "args": ["-a", "/kubernetes/.", "/binaries/"],
        "resources": _SMALL,
        "volumeMounts": [{"name": "binaries", "mountPath": "/binaries"}],
    }
    return {
        "serviceAccountName": ACCOUNT,
        "terminationGracePeriodSeconds": 10,
        "volumes": [secret, *empty],
        "initContainers": [kubernetes],
        "containers": [_syncer(rules)],
    }


def _syncer(rules: VirtualRules) -> Object:
    mounts = {"data": "/data", "binaries": "/binaries", "certs": "/pki", "tmp": "/tmp", "helm-cache": "/.cache/helm"}  # noqa: S108
    paths = {"POD_NAME": "metadata.name", "POD_IP": "status.podIP", "NODE_NAME": "spec.nodeName"}
    fields = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in paths.items()]
    config = {"name": "vcluster-config", "mountPath": "/var/vcluster"}
    return {
        "name": "syncer",
        "image": rules.image,
        "env": [{"name": "VCLUSTER_NAME", "value": NAME}, *fields],
        "resources": _RESOURCES,
        "securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 0, "runAsGroup": 0},
        "readinessProbe": _probe("/readyz", 60),
        "livenessProbe": _probe("/healthz", 60) | {"initialDelaySeconds": 60},
        "volumeMounts": [*({"name": name, "mountPath": path} for name, path in mounts.items()), config],
    }


def _probe(path: str, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": _PORT, "scheme": "HTTPS"},
        "periodSeconds": 2,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
