"""Workloads, as an inventory shows them: what makes pods, the containers these have, and what scales them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from app.clusters import AUTOSCALERS, DEPLOYMENTS, PODS, Seen

DEPLOYMENT: Final = "Deployment"
STATEFUL_SET: Final = "StatefulSet"
DAEMON_SET: Final = "DaemonSet"
SYSTEM: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""What a cluster consists of itself is no workload of its users."""

# The letters of generated names: https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go
_MADE: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_NAMES: Final[Mapping[str, re.Pattern[str]]] = {
    DEPLOYMENT: re.compile(rf"(.+)-{_MADE}{{6,10}}-{_MADE}{{5}}"),
    STATEFUL_SET: re.compile(r"(.+)-[0-9]+"),
    DAEMON_SET: re.compile(rf"(.+)-{_MADE}{{5}}"),
}
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str, str]
"""The kind, the namespace and the name of a workload."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a workload's newest pod; processors are counted, memory is in bytes. `killed` tells whether one of
    the pods was killed for using more memory than it may."""

    name: str
    requests: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    ports: Sequence[int] = ()
    probes: Sequence[str] = ()
    killed: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what its author has said of it."""
        return {"requests": dict(self.requests), "limits": dict(self.limits), "probes": sorted(self.probes)}


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """What scales a workload; `seen` and `wanted` are percentages of what pods ask for, by resource."""

    name: str
    least: int
    most: int
    current: int
    is_at_limit: bool
    wanted: Mapping[str, float]
    seen: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods. `replicas` are those that are wanted, where that is known, else those that there are; `restarts`
    are those of all its pods, of which `unready` are not as they should be."""

    kind: str
    namespace: str
    name: str
    replicas: int
    containers: Sequence[Container]
    pods: frozenset[str] = frozenset()
    autoscaler: Autoscaler | None = None
    restarts: int = 0
    unready: int = 0

    @property
    def key(self) -> Key:
        """What it is known by."""
        return (self.kind, self.namespace, self.name)


def group_workloads(objects: Mapping[str, Sequence[Seen]]) -> list[Workload]:
    """Return the workloads of an inventory that are no part of the cluster itself, in order; of those without pods
    deployments alone are known."""
    pods: dict[Key, list[Seen]] = {}
    for pod in objects.get(PODS, ()):
        owner = pod.data.get("owner") or {}
        if owner.get("kind") in _NAMES and pod.namespace not in SYSTEM and pod.status != "Terminating":
            pods.setdefault((owner["kind"], pod.namespace, owner["name"]), []).append(pod)
    deployments = [one for one in objects.get(DEPLOYMENTS, ()) if one.namespace not in SYSTEM]
    wanted = {(DEPLOYMENT, one.namespace, one.name): one.data.get("replicas") for one in deployments}
    scalers = {_target_of(one): _read_autoscaler(one) for one in objects.get(AUTOSCALERS, ())}
    keys = sorted(pods.keys() | wanted.keys())
    return [_make(key, pods.get(key, ()), wanted.get(key), scalers.get(key)) for key in keys]


def _make(key: Key, pods: Sequence[Seen], replicas: int | None, autoscaler: Autoscaler | None) -> Workload:
    kind, namespace, name = key
    killed = {one["container"] for pod in pods for one in pod.data.get("ended") or () if one["reason"] == "OOMKilled"}
    # While a new version rolls out, what it says counts.
    newest = max(pods, key=lambda pod: (pod.created_at or _EVER, pod.name), default=None)
    parts = newest.data.get("parts") or () if newest else ()
    return Workload(
        kind=kind,
        namespace=namespace,
        name=name,
        replicas=len(pods) if replicas is None else replicas,
        containers=tuple(_read_container(part, killed) for part in parts),
        pods=frozenset(pod.name for pod in pods),
        autoscaler=autoscaler,
        restarts=sum(pod.data.get("restarts") or 0 for pod in pods),
        unready=sum(pod.data.get("ready") != pod.data.get("containers") for pod in pods),
    )


def _read_container(part: Mapping[str, Any], killed: Iterable[str]) -> Container:
    said = {name: part[name] for name in ("name", "requests", "limits", "ports", "probes")}
    return Container(**said, killed=part["name"] in killed)


def _target_of(scaler: Seen) -> Key:
    return (scaler.data.get("target_kind") or "", scaler.namespace, scaler.data.get("target") or "")


def _read_autoscaler(scaler: Seen) -> Autoscaler:
    data = scaler.data
    metrics = {one["resource"]: one for one in data.get("metrics") or ()}
    return Autoscaler(
        name=scaler.name,
        least=data.get("least", 1),
        most=data.get("most", 0),
        current=data.get("current", 0),
        is_at_limit=scaler.status == "Limited" and data.get("current", 0) >= data.get("most", 0),
        wanted={name: one["wanted"] for name, one in metrics.items() if one.get("wanted")},
        seen={name: one["seen"] for name, one in metrics.items() if one.get("seen") is not None},
    )


def find_workload(
    known: Mapping[Key, Workload], pods: Mapping[tuple[str, str], Key], place: tuple[str, str]
) -> Key | None:
    """Return which workload a pod, by its namespace and name, belongs to, or once did: those that are no more are known
    by how their names were made. `pods` are those that there are."""
    if place in pods:
        return pods[place]
    namespace, name = place
    for kind, form in _NAMES.items():
        found = form.fullmatch(name)
        if found and (kind, namespace, found[1]) in known:
            return (kind, namespace, found[1])
    return None
