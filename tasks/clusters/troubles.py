"""What pods and nodes say of their troubles, in few words: why a container waits, how one ended, what a node lacks."""

from __future__ import annotations

from typing import Any, Final

from app.kernel.clock import read_time
from tasks.clusters.fields import LONGEST_MESSAGE, at, condition, maps, number, owner, text
from tasks.clusters.gateways.kubernetes import Object

_ZONES: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_HASH: Final = "pod-template-hash"


def describe_node(node: Object) -> dict[str, Any]:
    """Return since when a node is ready or not and why, where it lies, and which pressures it is under."""
    ready = condition(node, "Ready")
    return {
        "since": text(ready, "lastTransitionTime"),
        "reason": text(ready, "reason"),
        "message": text(ready, "message", longest=LONGEST_MESSAGE),
        "zone": next((zone for one in _ZONES if (zone := text(node, "metadata", "labels", one))), None),
        "addresses": [found for one in maps(node, "status", "addresses") if (found := text(one, "address"))],
        "pressures": [
            {"type": kind, "since": text(one, "lastTransitionTime")}
            for one in maps(node, "status", "conditions")
            if (kind := text(one, "type") or "").endswith("Pressure") and one.get("status") == "True"
        ],
    }


def describe_pod(pod: Object) -> dict[str, Any]:
    """Return what owns a pod, the claims it uses, and why it has no node."""
    placed = condition(pod, "PodScheduled")
    unplaced = placed.get("status") == "False"
    claims = (text(one, "persistentVolumeClaim", "claimName") for one in maps(pod, "spec", "volumes"))
    return {
        "owner": _workload(pod),
        "claims": [name for name in claims if name],
        "unplaced": (text(placed, "message", longest=LONGEST_MESSAGE) or "") if unplaced else None,
        "unplaced_since": text(placed, "lastTransitionTime") if unplaced else None,
    }


def _workload(pod: Object) -> dict[str, str] | None:
    """A ReplicaSet with the hash of its template in its name was made by a Deployment."""
    found, digest = owner(pod), text(pod, "metadata", "labels", _HASH)
    if found and digest and found["kind"] == "ReplicaSet" and found["name"].endswith(f"-{digest}"):
        return {"kind": "Deployment", "name": found["name"].removesuffix(f"-{digest}")}
    return found


def describe_containers(pod: Object) -> dict[str, Any]:
    """Return which containers wait and why, and how those ended that did not end well."""
    waiting: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    for kind in ("initContainerStatuses", "containerStatuses"):
        for one in maps(pod, "status", kind):
            waiting += _waiting(one)
            ended += _ended(one)
    return {"waiting": waiting, "ended": ended}


def _waiting(container: Object) -> list[dict[str, Any]]:
    reason = text(container, "state", "waiting", "reason")
    if reason is None:
        return []
    said = text(container, "state", "waiting", "message", longest=300)
    named = {"container": text(container, "name"), "image": text(container, "image")}
    return [named | {"reason": reason, "message": said}]


def _ended(container: Object) -> list[dict[str, Any]]:
    for state in ("state", "lastState"):
        end = at(container, state, "terminated")
        code, reason = number(at(end, "exitCode")), text(end, "reason")
        if reason is not None and (code != 0 or reason == "OOMKilled"):
            finished = read_time(at(end, "finishedAt"))
            said = {"container": text(container, "name"), "reason": reason, "exit_code": code}
            return [said | {"restarts": number(container.get("restartCount")) or 0, "at": _written(finished)}]
    return []


def _written(found: Any) -> str | None:
    return None if found is None else found.isoformat()
