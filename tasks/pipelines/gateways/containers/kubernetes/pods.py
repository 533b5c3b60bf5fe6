"""What a stage's pod is made of. Pure: needs in, manifests out.

One container keeps the workspace, one is there for each shape of step (for each step, where they run at once), and one
for each service. Those of steps do nothing until something is run in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from tasks.clusters.gateways.kubernetes import Object
from tasks.pipelines.gateways.containers.base import Pull, Service, Shape, StageNeeds
from tasks.pipelines.gateways.containers.kubernetes.entry import ENTRY, ENTRY_VARIABLE, IDLE
from tasks.pipelines.gateways.containers.kubernetes.place import CONTROL, DEFAULT_CPUS, HELPER, OWN, WORKSPACE, PodRules
from tasks.pipelines.gateways.sandbox import Limits

POD_LABEL: Final = "headrace.pod"
GRACE_SECONDS: Final = 5
_SERVICE: Final = "service-"
_STEP: Final = "step-"
_PULL: Final[dict[Pull, str]] = {"if-missing": "IfNotPresent", "always": "Always", "never": "Never"}
# What is asked of the scheduler: what a step mostly takes, not the most it may.
_CPU_REQUEST: Final = 0.1
_MEMORY_REQUEST: Final = 128 << 20
_HELPER_LIMITS: Final = Limits(0, cpus=1.0, memory_bytes=128 << 20)
_CONTROL_BYTES: Final = 16 << 20
# Images of databases start as root and become another user, which they own their data as.
_SERVICE_CAPABILITIES: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
# What is not public, with Azure's metadata, which lie elsewhere; of version 6 also what holds addresses of version 4.
_PRIVATE: Final = {
    "0.0.0.0/0": (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    ),
    "::/0": ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A container for steps of one shape."""

    name: str
    shape: Shape


def boxes_of(needs: StageNeeds) -> list[Box]:
    """Return the containers that steps need: those that run one after the other share what is of their shape."""
    counts = Counter(needs.shapes)
    wanted = [shape for shape in counts for _ in range(counts[shape] if needs.at_once else 1)]
    return [Box(f"{_STEP}{number}", shape) for number, shape in enumerate(wanted)]


def service_container(service: Service) -> str:
    """Return what the container of a service is called; its own name may be one of ours."""
    return f"{_SERVICE}{service.name}"


def pod_body(name: str, needs: StageNeeds, boxes: Sequence[Box], rules: PodRules, pull: Pull) -> Object:
    """Return the pod. Nothing secret is in it."""
    whole = needs.service_limits
    steps = [_step(box, rules, pull) for box in boxes]
    services = [_service(one, whole, pull) for one in needs.services]
    spec: Object = {
        "restartPolicy": "OnFailure",
        "activeDeadlineSeconds": ceil(needs.seconds + rules.start_seconds) + 60,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"fsGroup": rules.step_uid, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_helper(rules, pull), *steps, *services],
        "volumes": [_folder("workspace", whole.disk_bytes), *_volumes_of(boxes, whole)],
    }
    if needs.services:
        spec["hostAliases"] = [{"ip": "127.0.0.1", "hostnames": [one.name for one in needs.services]}]
    if selector := {**needs.node_selector, **rules.node_selector}:
        spec["nodeSelector"] = selector
    return {"metadata": {"name": name, "namespace": _namespace_of(needs), "labels": _labels(name, needs)}, "spec": spec}


def outside_policy(meta: Object, made: Object, needs: StageNeeds) -> Object:
    """Return what lets a stage's pod, as it was `made`, out to public addresses; it goes with the pod."""
    uid = made.get("metadata", {}).get("uid", "")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": uid}
    to = [{"ipBlock": {"cidr": whole, "except": list(private)}} for whole, private in _PRIVATE.items()]
    return {
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": _labels(meta["name"], needs),
            "ownerReferences": [owner],
        },
        "spec": {
            "podSelector": {"matchLabels": {POD_LABEL: meta["name"]}},
            "policyTypes": ["Egress"],
            "egress": [{"to": to}],
        },
    }


def _namespace_of(needs: StageNeeds) -> str:
    return (needs.site.namespace if needs.site else None) or ""


def _labels(name: str, needs: StageNeeds) -> dict[str, str]:
    return {**needs.owner.labels(), POD_LABEL: name}


def _helper(rules: PodRules, pull: Pull) -> Object:
    return {
        "name": HELPER,
        "image": rules.helper_image,
        "imagePullPolicy": _PULL["if-missing" if pull == "always" else pull],
        "command": list(IDLE),
        "securityContext": _confined(rules.step_uid),
        "resources": _resources(_HELPER_LIMITS),
        "volumeMounts": [_mount("workspace", str(WORKSPACE))],
    }


def _step(box: Box, rules: PodRules, pull: Pull) -> Object:
    own = [_mount(f"{box.name}-{kind}", path) for kind, path in _OWN_FOLDERS.items()]
    return {
        "name": box.name,
        "image": box.shape.image,
        "imagePullPolicy": _PULL[pull],
        "command": list(IDLE),
        "env": [{"name": ENTRY_VARIABLE, "value": _literal(ENTRY)}],
        "workingDir": str(WORKSPACE),
        "securityContext": _confined(rules.step_uid),
        "resources": _resources(Limits(0, cpus=box.shape.cpus, memory_bytes=box.shape.memory_bytes)),
        "volumeMounts": [_mount("workspace", str(WORKSPACE)), *own],
    }


_OWN_FOLDERS: Final = {"control": CONTROL, "own": OWN, "tmp": "/tmp", "vartmp": "/var/tmp"}  # noqa: S108


def _service(service: Service, limits: Limits, pull: Pull) -> Object:
    """A service is started as its image wants to be; what it runs takes the place of the image's arguments."""
    return {
        "name": service_container(service),
        "image": service.image,
        "imagePullPolicy": _PULL[pull],
        **({"args": [_literal(word) for word in service.command]} if service.command is not None else {}),
        "env": [{"name": name, "value": _literal(value)} for name, value in service.environment.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": list(_SERVICE_CAPABILITIES)},
        },
        "resources": _resources(limits),
    }


def _literal(value: str) -> str:
    """A value as it stands: Kubernetes fills in `$(NAME)`, and makes one dollar of two."""
    return value.replace("$", "$$")


def _confined(uid: int) -> Object:
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _resources(limits: Limits) -> Object:
    cpus = limits.cpus or DEFAULT_CPUS
    most = {"cpu": _millis(cpus)}
    least = {"cpu": _millis(min(cpus, _CPU_REQUEST))}
    if limits.memory_bytes is not None:
        most["memory"] = str(limits.memory_bytes)
        least["memory"] = str(min(limits.memory_bytes, _MEMORY_REQUEST))
    return {"requests": least, "limits": most}


def _millis(cpus: float) -> str:
    return f"{max(ceil(cpus * 1000), 10)}m"


def _volumes_of(boxes: Sequence[Box], limits: Limits) -> list[Object]:
    volumes: list[Object] = []
    for box in boxes:
        # What a step is given passes through memory, never a node's disk.
        memory = {"medium": "Memory", "sizeLimit": str(_CONTROL_BYTES)}
        volumes.append({"name": f"{box.name}-control", "emptyDir": memory})
        volumes += [_folder(f"{box.name}-{kind}", limits.disk_bytes) for kind in _OWN_FOLDERS if kind != "control"]
    return volumes


def _folder(name: str, size: int | None) -> Object:
    return {"name": name, "emptyDir": {} if size is None else {"sizeLimit": str(size)}}


def _mount(name: str, path: str) -> Mapping[str, Any]:
    return {"name": name, "mountPath": path}
