"""Phases that try a space: a pod is really made in it, finds a node, and is deleted."""

from __future__ import annotations

from dataclasses import dataclass

from app.tenancy import WantedSpace
from tasks.clusters.gateways.kubernetes import Cluster, Object, ObjectExists, kinds
from tasks.phases import Wait
from tasks.tenancy import manifests
from tasks.tenancy.objects import find, is_going, remove
from tasks.tenancy.phases.base import Site


@dataclass(frozen=True, slots=True)
class Verify:
    """A pod that was taken by the quota and the limits, and that found a node."""

    site: Site

    def ensure(self) -> Wait | None:
        """Make it, and wait until it has a node. Whether its image can be pulled is not asked."""
        return try_space(self.site.cluster, self.site.space, self.site.verify_image)

    def undo(self) -> Wait | None:
        """Delete it."""
        remove(self.site.cluster, kinds.POD, manifests.VERIFY, self.site.space.name, grace=0)
        return None


def try_space(cluster: Cluster, space: WantedSpace, image: str) -> Wait | None:
    """Make a pod in a space, and wait until it has a node."""
    pod = find(cluster, kinds.POD, manifests.VERIFY, space.name)
    if pod is None:
        try:
            pod = cluster.create(kinds.POD, manifests.verify_pod(space, image))
        except ObjectExists:
            return Wait("the pod that tries the namespace")
    if is_going(pod):
        return Wait("an earlier pod that tried the namespace to go")
    if (pod.get("spec") or {}).get("nodeName"):
        return None
    return Wait(f"a node for the pod that tries the namespace{_why_not(pod)}")


def _why_not(pod: Object) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or []
    some = conditions if isinstance(conditions, list) else []
    told = [str(one["message"]) for one in some if isinstance(one, dict) and one.get("message")]
    return f": {told[0][:300]}" if told else ""


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The space is as empty as it was before it was tried."""

    site: Site

    def ensure(self) -> Wait | None:
        """Delete the pod and wait until it is gone."""
        return clean_up(self.site.cluster, self.site.space)

    def undo(self) -> Wait | None:
        """There is nothing to take back."""
        return None


def clean_up(cluster: Cluster, space: WantedSpace) -> Wait | None:
    """Delete the pod that tried a space, and wait until it is gone."""
    place = (kinds.POD, manifests.VERIFY, space.name)
    remove(cluster, *place, grace=0)
    return Wait("the pod that tried the namespace to go") if find(cluster, *place) else None
