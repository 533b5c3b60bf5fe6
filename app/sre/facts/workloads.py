"""Facts of what makes pods: rollouts that are stuck, autoscalers at their limit, jobs that failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from app.clusters import AUTOSCALERS, DEPLOYMENTS, JOBS, Seen
from app.kernel.clock import read_time
from app.sre.facts.base import CRITICAL, WARNING, Fact, Thing, View

# A short peak is what an autoscaler is for.
PEAK: Final = timedelta(minutes=5)
# Failed jobs stay to be looked at; after a day it is not a problem of today.
FAILED: Final = timedelta(hours=24)
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def find_rollout_facts(view: View) -> Iterator[Fact]:
    """Yield deployments whose newest version does not come up in its time."""
    for one in view.of(DEPLOYMENTS):
        if one.status != "Failed":
            continue
        about = Thing("Deployment", one.namespace, one.name)
        why = one.data.get("message") or one.data.get("reason") or ""
        yield Fact(
            kind="RolloutStuck",
            about=about,
            severity=CRITICAL if view.workloads.is_down(about) else WARNING,
            message=f"The rollout of {about} does not go on: {why}",
            since=read_time(one.data.get("since")),
            trait=one.data.get("reason") or "",
            evidence={name: one.data.get(name) for name in ("replicas", "ready", "updated", "available", "message")},
        )


def find_autoscaler_facts(view: View) -> Iterator[Fact]:
    """Yield autoscalers that would want more replicas than they may for longer than a peak; one whose least and most
    are the same was meant to scale nothing."""
    for one in view.of(AUTOSCALERS):
        data, since = one.data, read_time(one.data.get("since"))
        is_at_limit = one.status == "Limited" and data.get("reason") == "TooManyReplicas"
        can_scale = data.get("most", 0) > data.get("least", 1) and data.get("current", 0) >= data.get("most", 0)
        if not is_at_limit or not can_scale or (since is not None and view.now - since < PEAK):
            continue
        target = Thing(data.get("target_kind") or "Deployment", one.namespace, data.get("target") or one.name)
        yield Fact(
            kind="HPAAtLimit",
            about=target,
            severity=WARNING,
            message=f"{target} has its {data['most']} replicas, the most that its autoscaler may give, and needs more",
            since=since,
            touches=frozenset({Thing("HorizontalPodAutoscaler", one.namespace, one.name)}),
            evidence={name: data.get(name) for name in ("least", "most", "current", "desired", "message")},
        )


def find_job_facts(view: View) -> Iterator[Fact]:
    """Yield jobs that failed, of those that are made again and again the newest that has ended."""
    newest: dict[Thing, Seen] = {}
    for job in view.of(JOBS):
        if job.status in ("Failed", "Complete"):
            about = view.workloads.of_job(job.namespace, job.name)
            newest[about] = max(newest.get(about, job), job, key=_ended)
    for about, job in newest.items():
        since = read_time(job.data.get("since"))
        if job.status == "Failed" and view.is_recent(since, FAILED):
            why = job.data.get("message") or job.data.get("reason") or "it has failed"
            yield Fact(
                kind="FailedJob",
                about=about,
                severity=WARNING,
                message=f"{about} has failed{f' (job {job.name})' if about.name != job.name else ''}: {why}",
                since=since,
                touches=frozenset({Thing("Job", job.namespace, job.name)}),
                trait=job.data.get("reason") or "",
                evidence={"job": job.name, **{name: job.data.get(name) for name in ("failed", "reason", "message")}},
            )


def _ended(job: Seen) -> datetime:
    return read_time(job.data.get("since")) or job.created_at or _EVER
