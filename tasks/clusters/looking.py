"""Looking after one cluster because somebody asks: its first time, or now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.clusters import Found, Observed, record_checks, record_inventory
from app.jobs import Run
from app.kernel.errors import Permanent, Transient
from tasks.clusters.checking import check, check_limits, describe
from tasks.clusters.gateways.kubernetes import ClusterError
from tasks.clusters.observing import LIMITS, SECONDS, observe
from tasks.clusters.opening import open_cluster
from tasks.tools import Tools


class ClusterUnreachable(Transient):
    """The cluster's API server does not answer."""

    code = "CLUSTER_UNREACHABLE"


class ClusterUnusable(Permanent):
    """The cluster cannot be used as it is registered."""

    code = "CLUSTER_UNUSABLE"


def connect(run: Run, cluster_id: UUID, tools: Tools) -> dict[str, Any]:
    """Check a cluster for the first time; raises ClusterUnreachable, ClusterUnusable with where it failed."""
    run.progress(phase="connecting")
    found = _check(run, cluster_id, tools)
    if not found.healthy:
        kind = ClusterUnreachable if found.code == ClusterUnreachable.code else ClusterUnusable
        raise kind(found.message, step=found.step, reason=found.code)
    return _result(found, _observe(run, cluster_id, tools))


def check_now(run: Run, cluster_id: UUID, tools: Tools) -> dict[str, Any]:
    """Check a cluster and say what was found, whatever that is."""
    run.progress(phase="checking")
    found = _check(run, cluster_id, tools)
    return _result(found, _observe(run, cluster_id, tools) if found.healthy else {})


def _check(run: Run, cluster_id: UUID, tools: Tools) -> Found:
    seconds = tools.clusters.checks.timeout
    try:
        with open_cluster(run, tools, cluster_id, limits=check_limits(seconds), seconds=seconds) as cluster:
            found = check(cluster)
    except ClusterError as error:
        found = describe(error)
    with run.recording() as (session, _job):
        record_checks(session, {cluster_id: found}, tools.clusters.checks)
    return found


def _observe(run: Run, cluster_id: UUID, tools: Tools) -> Mapping[str, Observed]:
    run.progress(phase="listing", percent=50)
    try:
        with open_cluster(run, tools, cluster_id, limits=LIMITS, seconds=SECONDS) as cluster:
            observed = observe(cluster, tools.clusters.checks.inventory_limit)
    except ClusterError:
        return {}
    with run.recording() as (session, _job):
        record_inventory(session, cluster_id, observed, tools.clusters.checks)
    return observed


def _result(found: Found, observed: Mapping[str, Observed]) -> dict[str, Any]:
    told = {"healthy": found.healthy, "latency_ms": found.latency_ms, "version": found.version}
    counts = {kind: len(one.items) for kind, one in observed.items() if one.error is None}
    return told | {"step": found.step, "code": found.code, "message": found.message, "objects": counts}
