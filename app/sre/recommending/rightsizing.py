"""How much containers should ask for: by KRR's formulas where enough was measured, and what is missing elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from app.sre.recommending.findings import (
    HIGH,
    LOW,
    MEDIUM,
    MISSING_LIMITS,
    RIGHTSIZING,
    Finding,
    Subject,
    patch_container,
    write_command,
)
from app.sre.recommending.formulas import (
    CRITICAL,
    GOOD,
    LEAST_MEMORY,
    MEBI,
    OK,
    PERCENTILE,
    WARNING,
    Sizes,
    judge_difference,
    size_of,
    worst_of,
)
from app.sre.recommending.usage import PodUse, span_of
from app.sre.recommending.workloads import Container, Workload
from app.tenancy import write_amount

HISTORY: Final = 336 * 3600.0
"""Seconds of what was used that are looked at."""

PRIORITY: Final = {CRITICAL: HIGH, WARNING: MEDIUM, OK: LOW}
FORMULA: Final = (
    "cpu request = max over pods of quantile(0.95, rate(container_cpu_usage_seconds_total[75s])), no cpu limit; memory "
    "request = memory limit = 1.15 * max over pods of max(container_memory_working_set_bytes), and where a container "
    "was killed for its memory at least 1.25 * its limit (KRR, simple strategy; 336 h; at least 10m and 100 MB)"
)
FEW: Final = (
    "memory limit = max(2 * the most that was measured, the request, 100 MB); without measurements 2 * the request"
)
# Twice what little was measured: what a container does once a day may not have been seen.
FEW_BUFFER: Final = 2.0


def find_sizes(workload: Workload, container: Container, uses: Sequence[PodUse]) -> Finding | None:
    """Return what a container should ask for, if it asks for something else now by a tenth of a processor or by 100 MiB
    of memory at least, or for nothing."""
    sizes = _leave_scaled(workload, size_of(uses, container.limits.get("memory") if container.killed else None))
    if sizes.cpu is None and sizes.memory is None:
        return _find_missing(workload, container, uses)
    severities = _judge(container, sizes)
    worst = worst_of(severities.values())
    if worst == GOOD:
        return None
    about = Subject(workload.kind, workload.namespace, workload.name, container.name)
    patch = patch_container(container.name, resources=_resources(container, sizes))
    return Finding(
        kind=RIGHTSIZING,
        about=about,
        priority=PRIORITY[worst],
        title=f"{about} should ask for {_spell(sizes)}",
        formula=FORMULA,
        evidence=_evidence(workload, container, uses, sizes) | {"severity": severities},
        confidence=_trust(uses),
        effect=_effect(workload, container, sizes),
        command=write_command(about, patch),
        facts={"requests": dict(container.requests), "limits": dict(container.limits)},
        figures={name: amount for name, amount in (("cpu", sizes.cpu), ("memory", sizes.memory)) if amount is not None},
        patch=patch,
    )


def _leave_scaled(workload: Workload, sizes: Sizes) -> Sizes:
    """What an autoscaler goes by, as a share of the request, must not be moved under it."""
    scaled = workload.autoscaler.wanted if workload.autoscaler else {}
    return Sizes(None if "cpu" in scaled else sizes.cpu, None if "memory" in scaled else sizes.memory)


def _judge(container: Container, sizes: Sizes) -> dict[str, str]:
    memory = (said.get("memory") for said in (container.requests, container.limits))
    return {
        "cpu": judge_difference("cpu", container.requests.get("cpu"), sizes.cpu),
        "memory": worst_of(judge_difference("memory", said, sizes.memory) for said in memory),
    }


def _resources(container: Container, sizes: Sizes) -> dict[str, dict[str, str | None]]:
    requests: dict[str, str | None] = {}
    limits: dict[str, str | None] = {}
    if sizes.cpu is not None:
        requests["cpu"] = write_amount("cpu", Decimal(str(sizes.cpu)))
        if "cpu" in container.limits:
            limits["cpu"] = None
    if sizes.memory is not None:
        requests["memory"] = limits["memory"] = write_bytes(sizes.memory)
    return {name: said for name, said in (("requests", requests), ("limits", limits)) if said}


def write_bytes(amount: float) -> str:
    """Return bytes of whole mebibytes as Kubernetes writes them."""
    return f"{round(amount / MEBI)}Mi"


def _spell(sizes: Sizes) -> str:
    said = []
    if sizes.cpu is not None:
        said.append(f"{write_amount('cpu', Decimal(str(sizes.cpu)))} of processors")
    if sizes.memory is not None:
        said.append(f"{write_bytes(sizes.memory)} of memory")
    return " and ".join(said)


def _evidence(workload: Workload, container: Container, uses: Sequence[PodUse], sizes: Sizes) -> dict[str, Any]:
    return {
        "current": {"requests": dict(container.requests), "limits": dict(container.limits)},
        "recommended": {
            "requests": {"cpu": sizes.cpu, "memory": sizes.memory},
            "limits": {"cpu": None, "memory": sizes.memory},
        },
        **describe_use(uses),
        "pods": len(workload.pods),
        "killed_for_memory": container.killed,
    }


def describe_use(uses: Sequence[PodUse]) -> dict[str, Any]:
    """Return what was measured, for how long, of how many pods."""
    cpu = [float(np.quantile(one.cpu, PERCENTILE)) for one in uses if len(one.cpu)]
    memory = [float(one.memory.max()) for one in uses if len(one.memory)]
    return {
        "hours": round(span_of(uses) / 3600, 1),
        "pods_measured": len(uses),
        "cpu_points": sum(len(one.cpu) for one in uses),
        "cpu_p95": round(max(cpu), 6) if cpu else None,
        "memory_points": sum(len(one.memory) for one in uses),
        "memory_most": max(memory) if memory else None,
    }


def _trust(uses: Sequence[PodUse]) -> float:
    """Half for a few hours, nine tenths for all of the history: the days of a week differ."""
    return round(0.5 + 0.4 * min(1.0, span_of(uses) / HISTORY), 2)


def _effect(workload: Workload, container: Container, sizes: Sizes) -> dict[str, Any]:
    """By how much requests change over all replicas; what was not said so far counts as nothing."""
    wanted: Mapping[str, float | None] = {"cpu": sizes.cpu, "memory": sizes.memory}
    changes = {
        name: round((amount - container.requests.get(name, 0.0)) * workload.replicas, 6)
        for name, amount in wanted.items()
        if amount is not None
    }
    return {"replicas": workload.replicas, "requests_change": changes}


def _find_missing(workload: Workload, container: Container, uses: Sequence[PodUse]) -> Finding | None:
    """Return that a container has no limit of memory, with one to begin with where there is anything to go by."""
    if "memory" in container.limits or (workload.autoscaler and "memory" in workload.autoscaler.wanted):
        return None
    most = max((float(one.memory.max()) for one in uses if len(one.memory)), default=None)
    limit = _first_limit(most, container.requests.get("memory"))
    about = Subject(workload.kind, workload.namespace, workload.name, container.name)
    patch = (
        None if limit is None else patch_container(container.name, resources={"limits": {"memory": write_bytes(limit)}})
    )
    look = shlex.join(["kubectl", f"--namespace={about.namespace}", "top", "pod", "--containers"])
    return Finding(
        kind=MISSING_LIMITS,
        about=about,
        priority=MEDIUM,
        title=f"{about} may use all memory of its node",
        formula=FEW,
        evidence={"requests": dict(container.requests), "limits": dict(container.limits), **describe_use(uses)},
        confidence=0.3 if limit is None or most is None else 0.4,
        effect={"limits": {"memory": limit}},
        command=look if patch is None else write_command(about, patch),
        facts={"requests": dict(container.requests), "limits": dict(container.limits)},
        patch=patch,
    )


def _first_limit(most: float | None, request: float | None) -> float | None:
    if most is not None:
        wanted = max(FEW_BUFFER * most, request or 0.0, LEAST_MEMORY)
    elif request is not None:
        wanted = max(FEW_BUFFER * request, LEAST_MEMORY)
    else:
        return None
    return float(np.ceil(wanted / MEBI) * MEBI)
