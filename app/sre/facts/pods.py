"""Facts of pods, one for each workload and kind however many pods it has: what keeps their containers from running."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from app.clusters import PODS, Seen
from app.kernel.clock import read_time
from app.sre.facts.base import CRITICAL, WARNING, Fact, Thing, View, count, lies_on

# A pod that has just been made may wait for a node that is being made for it, for an image, or for its disk.
PATIENCE: Final = timedelta(minutes=1)
SETUP: Final = timedelta(minutes=10)
CRASHED: Final = timedelta(minutes=10)
MANY_RESTARTS: Final = 3

WAITING: Final[Mapping[str, str]] = {
    "CrashLoopBackOff": "CrashLoopBackOff",
    **dict.fromkeys(("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"), "ImagePullBackOff"),
    **dict.fromkeys(("CreateContainerConfigError", "CreateContainerError", "RunContainerError"), "CannotStart"),
}
_NOT_THERE: Final = re.compile(
    r"not found|manifest unknown|does not exist|invalid reference|InvalidImageName", re.IGNORECASE
)
_DENIED: Final = re.compile(r"denied|unauthorized|authentication|forbidden", re.IGNORECASE)
_WHY: Final = (
    ("node", re.compile(r"unreachable|not-ready|were not ready|disk-pressure|memory-pressure", re.IGNORECASE)),
    ("claim", re.compile(r"PersistentVolumeClaim|volume node affinity|persistentvolumeclaim|bind", re.IGNORECASE)),
    ("cpu", re.compile(r"Insufficient cpu", re.IGNORECASE)),
    ("memory", re.compile(r"Insufficient memory", re.IGNORECASE)),
    ("pods", re.compile(r"Too many pods", re.IGNORECASE)),
    ("placement", re.compile(r"affinity|selector|taint|topology|free ports|Insufficient", re.IGNORECASE)),
)
_SAID: Final[Mapping[str, str]] = {
    "node": "nodes are out of order",
    "claim": "a volume is missing or elsewhere",
    "cpu": "no node has enough processors left",
    "memory": "no node has enough memory left",
    "pods": "nodes have as many pods as they take",
    "placement": "its rules of placement fit no node",
    "setup": "its container is not set up",
    "": "no node was found",
}


@dataclass(frozen=True, slots=True)
class _Trouble:
    pod: Seen
    since: datetime | None
    what: str
    trait: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def find_pod_facts(view: View) -> Iterator[Fact]:
    """Yield what keeps pods from running: images, configuration, memory, crashes, and the want of a node."""
    found: dict[tuple[str, Thing], list[_Trouble]] = {}
    for pod in view.of(PODS):
        if pod.status == "Terminating":
            continue
        for kind, trouble in _find_troubles(view, pod):
            found.setdefault((kind, view.workloads.of(pod)), []).append(trouble)
    for (kind, workload), troubles in found.items():
        yield _tell(view, kind, workload, troubles)


def _find_troubles(view: View, pod: Seen) -> Iterator[tuple[str, _Trouble]]:
    yield from _find_waiting(view, pod)
    yield from _find_ended(view, pod)
    yield from _find_unplaced(view, pod)


def _find_waiting(view: View, pod: Seen) -> Iterator[tuple[str, _Trouble]]:
    for one in pod.data.get("waiting") or ():
        reason = one["reason"]
        kind = WAITING.get(reason)
        if kind == "CrashLoopBackOff":
            yield kind, _crash(pod, one["container"])
        elif kind is not None and (reason.endswith("BackOff") or _waited(view, pod.created_at)):
            said = one.get("message") or reason
            evidence = {"container": one["container"], "image": one.get("image"), "reason": reason, "message": said}
            trait = _classify_image(said, one.get("image")) if kind == "ImagePullBackOff" else ""
            yield kind, _Trouble(pod, pod.created_at, f"{reason}: {said}", trait, evidence)
        elif kind is None and (view.age(pod.created_at) or timedelta(0)) > SETUP and not pod.data.get("ready"):
            yield from _find_setup(view, pod)


def _waited(view: View, since: datetime | None) -> bool:
    age = view.age(since)
    return age is None or age >= PATIENCE


def _crash(pod: Seen, container: str | None) -> _Trouble:
    ended = next((one for one in pod.data.get("ended") or () if one["container"] == container), None)
    if ended is None:
        return _Trouble(pod, None, "its container ends again and again", evidence={"container": container})
    said = f"its container {container} ended with exit code {ended['exit_code']} ({ended['reason']})"
    return _Trouble(pod, read_time(ended["at"]), said, ended["reason"], ended)


def _classify_image(said: str, image: str | None) -> str:
    """What is wrong with an image concerns one workload; what is wrong with its registry concerns all."""
    if _NOT_THERE.search(said):
        return "image"
    host = (image or "").partition("/")[0]
    registry = host if "." in host or ":" in host else "docker.io"
    return f"{'denied' if _DENIED.search(said) else 'registry'}:{registry}"


def _find_setup(view: View, pod: Seen) -> Iterator[tuple[str, _Trouble]]:
    """Volumes that cannot be mounted are told by events alone."""
    if event := view.unmounted(pod):
        said = event.data.get("message") or ""
        yield "PodPending", _Trouble(pod, pod.created_at, said, "setup", {"message": said})


def _find_ended(view: View, pod: Seen) -> Iterator[tuple[str, _Trouble]]:
    loops = {one["container"] for one in pod.data.get("waiting") or () if one["reason"] == "CrashLoopBackOff"}
    for one in pod.data.get("ended") or ():
        moment = read_time(one["at"])
        if one["reason"] == "OOMKilled" and view.is_recent(moment):
            said = f"its container {one['container']} was killed for using more memory than it may"
            yield "OOMKilled", _Trouble(pod, moment, said, evidence=one)
        is_again = one["restarts"] >= MANY_RESTARTS and moment is not None and view.is_recent(moment, CRASHED)
        if is_again and one["container"] not in loops:
            yield "CrashLoopBackOff", _crash(pod, one["container"])


def _find_unplaced(view: View, pod: Seen) -> Iterator[tuple[str, _Trouble]]:
    said = pod.data.get("unplaced")
    if said is None or pod.status != "Pending":
        return
    since = read_time(pod.data.get("unplaced_since")) or pod.created_at
    if _waited(view, since):
        trait = next((name for name, pattern in _WHY if pattern.search(said)), "")
        yield "PodPending", _Trouble(pod, since, said, trait, {"message": said})


def _tell(view: View, kind: str, workload: Thing, troubles: Sequence[_Trouble]) -> Fact:
    first = min(troubles, key=lambda one: (one.since is None, one.since or view.now, one.pod.name))
    pods = sorted({one.pod.name for one in troubles})
    why = _SAID[first.trait] if kind == "PodPending" else first.what
    verb = "waits" if len(pods) == 1 else "wait"
    said = {
        "CrashLoopBackOff": f"{workload} crashes again and again: {why}",
        "ImagePullBackOff": f"{workload} cannot get its image: {why}",
        "CannotStart": f"{workload} cannot be started: {why}",
        "OOMKilled": f"{workload} runs out of memory: {why}",
        "PodPending": f"{count(len(pods), 'pod')} of {workload} {verb} for a node: {why}",
    }[kind]
    return Fact(
        kind=kind,
        about=workload,
        severity=_judge(view, kind, workload),
        message=said,
        since=first.since,
        touches=frozenset(thing for one in troubles for thing in (*lies_on(one.pod), _pod(one.pod))),
        trait=first.trait,
        evidence={"pods": pods[:20], "count": len(pods), **first.evidence},
    )


def _judge(view: View, kind: str, workload: Thing) -> str:
    """How many pods others than deployments have is not known: where one crashes it may be the only one."""
    may_be_all = kind == "CrashLoopBackOff" and workload.kind != "Deployment"
    return CRITICAL if may_be_all or view.workloads.is_down(workload) else WARNING


def _pod(pod: Seen) -> Thing:
    return Thing("Pod", pod.namespace, pod.name)
