"""Phases of suspending and resuming: no pod begins any more, and workloads are scaled to nothing and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.tenancy import names
from tasks.clusters.gateways.kubernetes import Cluster, Kind, Object, ObjectNotFound, kinds, list_all
from tasks.phases import Wait
from tasks.tenancy import manifests
from tasks.tenancy.objects import put, remove
from tasks.tenancy.phases.base import Site

_REPLICAS: Final = re.compile(r"[0-9]{1,6}")

SCALED: Final = (kinds.DEPLOYMENT, kinds.STATEFUL_SET)


@dataclass(frozen=True, slots=True)
class Freeze:
    """A quota of no pods in each namespace of the workspace."""

    site: Site

    def ensure(self) -> Wait | None:
        """Put it."""
        for space in self.site.look().settled:
            put(self.site.cluster, kinds.RESOURCE_QUOTA, manifests.frozen(space))
        return None

    def undo(self) -> Wait | None:
        """Take it away."""
        for space in self.site.look().settled:
            remove(self.site.cluster, kinds.RESOURCE_QUOTA, manifests.SUSPENDED, space.name)
        return None


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """Deployments and stateful sets of no replicas, which remember how many they had."""

    site: Site

    def ensure(self) -> Wait | None:
        """Scale what runs to nothing, and wait until its pods are gone."""
        for space in self.site.look().settled:
            for kind, live in _workloads(self.site.cluster, space.name):
                _send_to_sleep(self.site.cluster, kind, live)
        awake = [name for space in self.site.look().settled for name in _awake(self.site.cluster, space.name)]
        return Wait(f"the pods of {', '.join(awake[:5])}") if awake else None

    def undo(self) -> Wait | None:
        """Scale back to what was remembered."""
        for space in self.site.look().settled:
            for kind, live in _workloads(self.site.cluster, space.name):
                _wake(self.site.cluster, kind, live)
        return None


def _workloads(cluster: Cluster, namespace: str) -> Iterator[tuple[Kind, Object]]:
    for kind in SCALED:
        for live in list_all(cluster, kind, namespace):
            yield kind, live


def _awake(cluster: Cluster, namespace: str) -> Iterator[str]:
    for kind, live in _workloads(cluster, namespace):
        if (live.get("status") or {}).get("replicas"):
            yield f"{kind.name} {live['metadata']['name']}"


def _send_to_sleep(cluster: Cluster, kind: Kind, live: Object) -> None:
    replicas = _replicas_of(live)
    if replicas:
        _write(cluster, kind, live, note=str(replicas), replicas=0)


def _replicas_of(live: Object) -> int:
    wanted = (live.get("spec") or {}).get("replicas", 1)
    return wanted if isinstance(wanted, int) else 1


def _wake(cluster: Cluster, kind: Kind, live: Object) -> None:
    """Give a workload its replicas back, unless somebody has scaled it since."""
    remembered = (live["metadata"].get("annotations") or {}).get(names.REPLICAS_NOTE, "")
    # Whoever may edit the workload may write there what they like.
    if _REPLICAS.fullmatch(remembered):
        _write(cluster, kind, live, note=None, replicas=_replicas_of(live) or int(remembered))


def _write(cluster: Cluster, kind: Kind, live: Object, *, note: str | None, replicas: int) -> None:
    """Write both in one go, and only to what was read: nothing may be forgotten in between."""
    meta = live["metadata"]
    change = {
        "metadata": {"resourceVersion": meta.get("resourceVersion"), "annotations": {names.REPLICAS_NOTE: note}},
        "spec": {"replicas": replicas},
    }
    try:
        cluster.patch(kind, meta["name"], meta["namespace"], change=change)
    except ObjectNotFound:
        return


@dataclass(frozen=True, slots=True)
class Reverse:
    """A phase the other way round: resuming is what undoes suspending."""

    phase: Freeze | ScaleDown

    def ensure(self) -> Wait | None:
        """Undo it."""
        return self.phase.undo()

    def undo(self) -> Wait | None:
        """Do it."""
        return self.phase.ensure()
