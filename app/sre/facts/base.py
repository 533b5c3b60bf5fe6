"""What facts are made of: things of a cluster, what is seen of them, and what is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from app.clusters import AUTOSCALERS, CERTIFICATES, DEPLOYMENTS, EVENTS, JOBS, NODES, PODS, QUOTAS, SERVICES, Seen

CRITICAL: Final = "critical"
WARNING: Final = "warning"
INFO: Final = "info"

HEALTH: Final = "health"
USAGE: Final = "usage"
RECENT: Final = timedelta(minutes=30)


class Thing(NamedTuple):
    """Something of a cluster; what lies in no namespace has an empty one."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Kind(NamedTuple):
    """A kind of fact: how near it is to what goes wrong first (0 is nearest), and what has to be seen for it."""

    rank: int
    needs: str


KINDS: Final[Mapping[str, Kind]] = {
    "ClusterUnreachable": Kind(0, HEALTH),
    "NodeNotReady": Kind(1, NODES),
    "NodePressure": Kind(1, NODES),
    "CertificateNearExpiry": Kind(1, CERTIFICATES),
    "VolumeNearlyFull": Kind(1, USAGE),
    "QuotaNearlyUsed": Kind(2, QUOTAS),
    "ImagePullBackOff": Kind(3, PODS),
    "CannotStart": Kind(3, PODS),
    "PodPending": Kind(3, PODS),
    "OOMKilled": Kind(3, PODS),
    "HPAAtLimit": Kind(4, AUTOSCALERS),
    "CPUThrottling": Kind(5, USAGE),
    "CrashLoopBackOff": Kind(6, PODS),
    "FailedJob": Kind(7, JOBS),
    "RolloutStuck": Kind(7, DEPLOYMENTS),
}
SYMPTOM: Final = 8
"""The rank of what is seen from outside: alerts and anomalies."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something is wrong with `about`, since then as far as that is known; `touches` are other things that it lies on
    or reaches, and `trait` tells facts of one kind with different reasons apart."""

    kind: str
    about: Thing
    severity: str
    message: str
    since: datetime | None = None
    touches: frozenset[Thing] = frozenset()
    trait: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Workloads:
    """Which pods make which workloads: a pod's workload is what keeps it running, or the pod itself."""

    def __init__(self, objects: Mapping[str, Sequence[Seen]]) -> None:
        self._jobs = {one.key: one for one in objects.get(JOBS, ())}
        self._pods = {one.key: one for one in objects.get(PODS, ())}
        self._services = {one.key: one for one in objects.get(SERVICES, ())}
        self._deployments = {one.key: one for one in objects.get(DEPLOYMENTS, ())}
        self._lying: dict[Thing, set[Thing]] = {}
        for pod in self._pods.values():
            self._lying.setdefault(self.of(pod), set()).update(lies_on(pod))

    def of(self, pod: Seen) -> Thing:
        """Return the workload of a pod."""
        owner = pod.data.get("owner")
        if not owner:
            return Thing("Pod", pod.namespace, pod.name)
        if owner["kind"] == "Job":
            return self.of_job(pod.namespace, owner["name"])
        return Thing(owner["kind"], pod.namespace, owner["name"])

    def of_job(self, namespace: str, name: str) -> Thing:
        """Return what makes a job again and again, or the job."""
        job = self._jobs.get((namespace, name))
        owner = job.data.get("owner") if job else None
        return Thing(owner["kind"], namespace, owner["name"]) if owner else Thing("Job", namespace, name)

    def named(self, namespace: str, pod: str) -> Thing | None:
        """Return the workload of the pod of this name; None where it is not known."""
        found = self._pods.get((namespace, pod))
        return None if found is None else self.of(found)

    def served_by(self, namespace: str, service: str) -> list[Thing]:
        """Return the deployments that a service leads to; those of its name where nobody can tell."""
        known = self._services.get((namespace, service))
        selector = (known.data.get("selector") if known else None) or {}
        mine = [one for one in self._deployments.values() if one.namespace == namespace]
        chosen = [one for one in mine if selector and selector.items() <= (one.data.get("labels") or {}).items()]
        return [Thing("Deployment", namespace, one.name) for one in chosen or mine if chosen or one.name == service]

    def lying_on(self, workload: Thing) -> frozenset[Thing]:
        """Return the nodes and claims that a workload's pods lie on, as far as they were seen."""
        return frozenset(self._lying.get(workload, ()))

    def is_down(self, workload: Thing) -> bool:
        """Tell whether nothing of a deployment is available; False where that is not known."""
        found = self._deployments.get((workload.namespace, workload.name)) if workload.kind == "Deployment" else None
        return found is not None and found.data.get("replicas", 0) > 0 and found.data.get("available") == 0


def lies_on(pod: Seen) -> Iterator[Thing]:
    """Yield the node and the claims of a pod."""
    if node := pod.data.get("node"):
        yield Thing("Node", "", node)
    for claim in pod.data.get("claims") or ():
        yield Thing("PersistentVolumeClaim", pod.namespace, claim)


class View:
    """What was seen of a cluster, and when it is looked at."""

    def __init__(self, objects: Mapping[str, Sequence[Seen]], now: datetime) -> None:
        self.objects = objects
        self.now = now
        self.workloads = Workloads(objects)
        self._unmounted: dict[tuple[str, str], Seen] = {}
        for event in objects.get(EVENTS, ()):
            if event.data.get("reason") in ("FailedMount", "FailedAttachVolume"):
                self._unmounted.setdefault((event.namespace, event.data.get("object_name") or ""), event)

    def of(self, kind: str) -> Sequence[Seen]:
        """Return the objects of a kind that were seen."""
        return self.objects.get(kind, ())

    def unmounted(self, pod: Seen) -> Seen | None:
        """Return the event that says of a pod that a volume of it cannot be mounted."""
        return self._unmounted.get(pod.key)

    def age(self, moment: datetime | None) -> timedelta | None:
        """Return how long ago a moment was."""
        return None if moment is None else self.now - moment

    def is_recent(self, moment: datetime | None, within: timedelta = RECENT) -> bool:
        """Tell whether a moment was not long ago; one that is not known was."""
        return moment is None or self.now - moment <= within


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
