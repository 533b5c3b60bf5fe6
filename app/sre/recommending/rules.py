"""What should be done about workloads, container by container and as a whole, and about certificates."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from app.sre.recommending.findings import (
    CERTIFICATE,
    HIGH,
    LOW,
    MEDIUM,
    MISSING_PROBES,
    SCALING,
    UNUSED,
    Finding,
    Subject,
    patch_container,
    write_command,
)
from app.sre.recommending.rightsizing import HISTORY, find_sizes
from app.sre.recommending.usage import PodUse, span_of
from app.sre.recommending.workloads import DEPLOYMENT, Autoscaler, Workload

__all__ = ["HISTORY", "find_all", "find_certificate"]

IDLE: Final = 0.001
IDLE_QUANTILE: Final = 0.99
IDLE_SPAN: Final = 7 * 86_400.0
IDLE_POINTS: Final = 1000
# What was not measured lately may have work by now.
IDLE_RECENT: Final = 3600.0
# Kubernetes' own autoscaler leaves a tenth more or less alone: --horizontal-pod-autoscaler-tolerance.
TOLERANCE: Final = 0.1
# Kubernetes counts them in 32 bits; a server that says what needs more is not believed.
MOST_REPLICAS: Final = 2**31 - 1
# The days before its end at which somebody should know, and how much that presses. The last two are kubernetes-mixin's.
EXPIRES: Final = ((1, HIGH), (7, MEDIUM), (21, LOW))

Uses = Mapping[str, Sequence[PodUse]]
"""What the containers of a workload have used, by their names."""


def find_all(workload: Workload, uses: Uses, now: float) -> Iterator[Finding]:
    """Yield what should be done about a workload; `now` is in seconds. About one that does nothing there is nothing
    else to be said."""
    unused = find_unused(workload, uses, now)
    if unused is not None:
        yield unused
        return
    for container in workload.containers:
        found = find_sizes(workload, container, uses.get(container.name, ()))
        if found is not None:
            yield found
    yield from find_missing_probes(workload)
    scaling = find_scaling(workload)
    if scaling is not None:
        yield scaling


def find_missing_probes(workload: Workload) -> Iterator[Finding]:
    """Yield containers with a port that nobody asks whether they are ready: they get requests before they can answer.

    That a container is alive is not asked for: a probe that is too strict takes down what works.
    """
    for container in workload.containers:
        if "readiness" in container.probes or not container.ports:
            continue
        about = Subject(workload.kind, workload.namespace, workload.name, container.name)
        probe = {"tcpSocket": {"port": container.ports[0]}, "periodSeconds": 10, "failureThreshold": 3}
        patch = patch_container(container.name, readinessProbe=probe)
        yield Finding(
            kind=MISSING_PROBES,
            about=about,
            priority=LOW if workload.replicas < 2 else MEDIUM,
            title=f"{about} gets requests before it is ready",
            formula="a container with a port should have a readiness probe; here its first port is tried every 10 s",
            evidence={"ports": list(container.ports), "probes": sorted(container.probes)},
            confidence=0.6,
            effect={"ready_only_when_answering": True, "replicas": workload.replicas},
            command=write_command(about, patch),
            facts={"probes": sorted(container.probes)},
            patch=patch,
        )


def find_unused(workload: Workload, uses: Uses, now: float) -> Finding | None:
    """Return that a deployment does nothing: for a week and until now, no container of any of its pods has used a
    thousandth of a processor, but for a hundredth of the time. What an autoscaler scales is left to it."""
    if workload.kind != DEPLOYMENT or workload.autoscaler or not workload.replicas or not workload.containers:
        return None
    known = [use for container in workload.containers for use in uses.get(container.name, ())]
    cpu = [use.cpu for use in known if len(use.cpu)]
    if not _is_known(workload, uses, now) or span_of(known) < IDLE_SPAN or sum(map(len, cpu)) < IDLE_POINTS:
        return None
    most = max(float(np.quantile(one, IDLE_QUANTILE)) for one in cpu)
    if most >= IDLE:
        return None
    about = Subject(workload.kind, workload.namespace, workload.name)
    patch = {"spec": {"replicas": 0}}
    freed = {
        name: round(sum(one.requests.get(name, 0.0) for one in workload.containers) * workload.replicas, 6)
        for name in ("cpu", "memory")
    }
    return Finding(
        kind=UNUSED,
        about=about,
        priority=MEDIUM if any(freed.values()) else LOW,
        title=f"{about} seems to be unused",
        formula="quantile(0.99, processors used) < 0.001 for each container of each pod, over 7 days and 1000 points",
        evidence={"cpu_p99": round(most, 6), "days": round(span_of(known) / 86_400, 1), "replicas": workload.replicas},
        confidence=round(0.5 + 0.2 * min(1.0, span_of(known) / HISTORY), 2),
        effect={"replicas": -workload.replicas, "requests_change": {name: -amount for name, amount in freed.items()}},
        command=write_command(about, patch),
        facts={"replicas": workload.replicas},
        patch=patch,
    )


def _is_known(workload: Workload, uses: Uses, now: float) -> bool:
    """Tell whether each container of each pod that there is was measured, until lately: the one that was not may be the
    one that works."""
    measured = {
        container.name: {
            use.pod for use in uses.get(container.name, ()) if len(use.cpu) and now - use.last <= IDLE_RECENT
        }
        for container in workload.containers
    }
    return all(pods and workload.pods <= pods for pods in measured.values())


def find_scaling(workload: Workload) -> Finding | None:
    """Return that an autoscaler would want more replicas than it may have, by its own formula."""
    scaler = workload.autoscaler
    if scaler is None or not scaler.is_at_limit or scaler.most <= scaler.least:
        return None
    ratio = _ratio(scaler)
    if ratio is None or ratio <= 1 + TOLERANCE:
        return None
    wanted = math.ceil(scaler.current * ratio)
    if wanted > MOST_REPLICAS:
        return None
    about = Subject("HorizontalPodAutoscaler", workload.namespace, scaler.name)
    patch = {"spec": {"maxReplicas": wanted}}
    return Finding(
        kind=SCALING,
        about=about,
        priority=HIGH if ratio >= 1.5 else MEDIUM,
        title=f"{workload.kind} {about.namespace}/{workload.name} needs {wanted} replicas and may have {scaler.most}",
        formula="ceil(replicas * max over resources of seen / wanted utilization), as the autoscaler works it out",
        evidence={
            "replicas": scaler.current,
            "least": scaler.least,
            "most": scaler.most,
            "wanted": dict(scaler.wanted),
            "seen": dict(scaler.seen),
        },
        confidence=0.7,
        effect={
            "replicas": wanted - scaler.current,
            "utilization": {n: round(s / ratio) for n, s in scaler.seen.items()},
        },
        command=write_command(about, patch),
        facts={"most": scaler.most},
        figures={"replicas": float(wanted)},
        patch=patch,
    )


def _ratio(scaler: Autoscaler) -> float | None:
    pairs = ((scaler.seen.get(name, 0), wanted) for name, wanted in scaler.wanted.items())
    ratios = [seen / wanted for seen, wanted in pairs if seen > 0 and wanted > 0]
    return max(ratios, default=None)


def find_certificate(
    about: Subject, expires_at: datetime, now: datetime, command: str, **evidence: Any
) -> Finding | None:
    """Return that a certificate ends within three weeks, or has ended."""
    left = expires_at - now
    priority = next((one for days, one in EXPIRES if left < timedelta(days=days)), None)
    if priority is None:
        return None
    days = left.total_seconds() / 86_400
    return Finding(
        kind=CERTIFICATE,
        about=about,
        priority=priority,
        title=f"The certificate of {about} {'ended' if days < 0 else 'ends'} on {expires_at:%Y-%m-%d}",
        formula="the end of a certificate: in 21 days low, in 7 days medium, in a day high",
        evidence={"expires_at": expires_at.isoformat(), "days_left": round(days, 1), **evidence},
        confidence=1.0,
        effect={"stays_reachable": True},
        command=command,
        facts={"expires_at": expires_at.isoformat()},
    )


def renew_command(namespace: str, name: str) -> str:
    """Return what has cert-manager issue a certificate anew."""
    return shlex.join(["cmctl", "renew", f"--namespace={namespace}", "--", name])
