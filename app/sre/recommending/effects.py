"""What came of a recommendation that was applied: whether the change is still there, and how its object fares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.sre.recommending.findings import agrees
from app.sre.recommending.rightsizing import describe_use
from app.sre.recommending.usage import PodUse
from app.sre.recommending.workloads import Workload

AS_EXPECTED: Final = "as_expected"
WORSE: Final = "worse"
UNDONE: Final = "undone"
GONE: Final = "gone"
UNKNOWN: Final = "unknown"
VERDICTS: Final = (AS_EXPECTED, WORSE, UNDONE, GONE, UNKNOWN)


def measure_effect(
    workload: Workload | None, container: str, applied: Mapping[str, Any], uses: Sequence[PodUse]
) -> dict[str, Any]:
    """Return what is seen of a change: `applied` is what the object said after it, `uses` what the container has used
    since. The verdict is `worse` where pods are not as they should be, or were killed for their memory."""
    if workload is None:
        return {"verdict": GONE}
    now = facts_of(workload, container)
    killed = any(one.killed for one in workload.containers if one.name == container)
    measured = {
        "now": {name: now.get(name) for name in applied},
        "replicas": workload.replicas,
        "unready_pods": workload.unready,
        "restarts": workload.restarts,
        "killed_for_memory": killed,
        **describe_use(uses),
    }
    if not agrees(applied, now):
        return {"verdict": UNDONE, "measured": measured}
    verdict = WORSE if workload.unready or killed else AS_EXPECTED
    return {"verdict": verdict, "measured": measured | _shares(now, measured)}


def facts_of(workload: Workload, container: str) -> dict[str, Any]:
    """Return what the authors of a workload, of a container of it and of what scales it have said."""
    said: dict[str, Any] = {"replicas": workload.replicas}
    if workload.autoscaler is not None:
        said["most"] = workload.autoscaler.most
    named = [one.facts() for one in workload.containers if one.name == container]
    return said | (named[0] if named else {})


def _shares(now: Mapping[str, Any], measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return how much of what is asked for, or allowed, was used."""
    pairs = {
        "cpu_share_of_request": (measured["cpu_p95"], (now.get("requests") or {}).get("cpu")),
        "memory_share_of_limit": (measured["memory_most"], (now.get("limits") or {}).get("memory")),
    }
    return {name: round(used / said, 4) for name, (used, said) in pairs.items() if used is not None and said}
