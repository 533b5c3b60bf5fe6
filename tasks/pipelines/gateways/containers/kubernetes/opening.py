"""Making a stage's pod and waiting until its containers run, or until it is clear that they will not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from app.kernel.errors import Permanent
from tasks.clusters.gateways.kubernetes import Cluster, Object, ObjectNotFound, QuotaExceeded, clean, kinds
from tasks.pipelines.gateways.containers.base import (
    Check,
    ContainerRefused,
    ContainersUnavailable,
    ImageUnavailable,
    Say,
)
from tasks.pipelines.gateways.containers.kubernetes.place import Pod

_FIRST_LOOK: Final = 0.1
_LAST_LOOK: Final = 2.0
_LOOK_FACTOR: Final = 1.3
# A kubelet that backs off has tried; the other two it would try forever.
_NO_IMAGE: Final = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_NO_CONTAINER: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})


class PodNotStarted(Permanent):
    """The stage's pod did not start in time."""

    code = "POD_NOT_STARTED"


def create(cluster: Cluster, body: Object, seconds: float, check: Check, say: Say) -> Object:
    """Make a pod; while the namespace's quota is used up by others, wait, at most so long."""
    give_up = time.monotonic() + seconds
    told = ""
    for pause in _pauses():
        try:
            return cluster.create(kinds.POD, body)
        except QuotaExceeded as error:
            if time.monotonic() + pause > give_up:
                raise PodNotStarted(f"The workspace's quota leaves no room for the stage: {error.message}") from error
            if error.message != told:
                say(f"Waiting for room in the workspace's quota: {error.message}")
                told = error.message
        _sleep(pause, check)
    raise AssertionError("there is always another pause")


def wait_until_running(cluster: Cluster, pod: Pod, containers: int, seconds: float, check: Check, say: Say) -> None:
    """Return once each of the pod's containers has been started; raises ImageUnavailable, ContainerRefused,
    ContainersUnavailable, or PodNotStarted with what it waited for."""
    give_up = time.monotonic() + seconds
    told = ""
    for pause in _pauses():
        found = read_pod(cluster, pod)
        raise_fault(found)
        reason = _what_for(found, containers)
        if reason is None:
            return
        if time.monotonic() + pause > give_up:
            raise PodNotStarted(f"The stage's pod did not start within {seconds:.0f} s: {reason}")
        if reason != told and reason != _NOTHING_SAID:
            say(f"Waiting for the stage's pod: {reason}")
            told = reason
        _sleep(pause, check)
    raise AssertionError("there is always another pause")


def read_pod(cluster: Cluster, pod: Pod) -> Object:
    """Return the pod as it is; raises ContainersUnavailable where somebody has deleted it."""
    try:
        return cluster.get(kinds.POD, pod.name, pod.namespace)
    except ObjectNotFound:
        raise ContainersUnavailable("The stage's pod is gone.") from None


def raise_fault(found: Object) -> None:
    """Raise what keeps a pod from ever running."""
    status = status_of(found)
    if status.get("phase") == "Failed" and status.get("reason"):
        raise ContainersUnavailable(f"The stage's pod has failed: {clean(status['reason'])}: {clean(_said(status))}")
    for one in statuses(found):
        waiting = state_of(one, "waiting")
        reason, said = str((waiting or {}).get("reason", "")), clean(_said(waiting))
        if reason in _NO_IMAGE:
            raise ImageUnavailable(f"The image {clean(one.get('image', ''))} cannot be had: {said or reason}")
        if reason in _NO_CONTAINER:
            raise ContainerRefused(f"A container of the stage cannot be started: {said or reason}")
        ended = end_of(one)
        if ended is not None and not str(one.get("name", "")).startswith("service-"):
            why = clean(_said(ended)) or f"it ended with exit code {ended.get('exitCode')}"
            raise ContainerRefused(f"The image {clean(one.get('image', ''))} cannot run a shell: {why}")


def status_of(found: Object) -> dict[str, Any]:
    """Return what a cluster tells of a pod, which may be nothing yet."""
    status = found.get("status")
    return status if isinstance(status, dict) else {}


def statuses(found: Object) -> list[dict[str, Any]]:
    """Return what is told of a pod's containers."""
    told = status_of(found).get("containerStatuses")
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def container_status(found: Object, name: str) -> dict[str, Any]:
    """Return what is told of one container."""
    return next((one for one in statuses(found) if one.get("name") == name), {})


def state_of(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """Return the `waiting`, `running` or `terminated` state of a container, None where it is in another."""
    state = status.get("state")
    found = state.get(kind) if isinstance(state, dict) else None
    return found if isinstance(found, dict) else None


def end_of(status: dict[str, Any]) -> dict[str, Any] | None:
    """Return how a container ended, last if it was started again; None for one that has not."""
    last = status.get("lastState")
    found = last.get("terminated") if isinstance(last, dict) else None
    return state_of(status, "terminated") or (found if isinstance(found, dict) else None)


_NOTHING_SAID: Final = "its containers are being made"


def _what_for(found: Object, wanted: int) -> str | None:
    """What a pod waits for; None once all of its containers were started."""
    told = statuses(found)
    if len(told) >= wanted and all(state_of(one, "running") or end_of(one) for one in told):
        return None
    conditions = status_of(found).get("conditions")
    for one in conditions if isinstance(conditions, list) else ():
        if isinstance(one, dict) and one.get("type") == "PodScheduled" and one.get("status") == "False":
            return clean(one.get("message") or one.get("reason") or "it has no node")
    waiting = [state for one in told if (state := state_of(one, "waiting"))]
    words = [clean(_said(one)) for one in waiting]
    return next((word for word in words if word), _NOTHING_SAID)


def _said(state: dict[str, Any] | None) -> str:
    return str((state or {}).get("message") or "")


def _pauses() -> Iterator[float]:
    pause = _FIRST_LOOK
    while True:
        yield pause
        pause = min(pause * _LOOK_FACTOR, _LAST_LOOK)


def _sleep(seconds: float, check: Check) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.2))
