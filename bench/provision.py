"""How long it takes to put a workspace on a cluster, phase by phase, and how much of that is ours.

The cluster is a real API server where one can be started (KUBE_UP, KUBE_BIN, .cache/kube, or tools beside the
repository), else the tests' own, and the findings say which. Ours is all that is not waiting: for its answers, or for
what it has yet to do.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app import jobs
from app.clusters import Access, Cluster
from app.clusters.credentials import seal_access
from app.identity import register
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.tenancy import Host, Organization, Provisioning, RepositoryRules, Workspace, create_workspace
from app.tenancy.placing import place_workspace
from bench.findings import Finding, percentile
from bench.ground import ROOT, Ground
from tasks.clusters.gateways.kubernetes.exchange import Exchange
from tasks.tenancy import turns
from tests.clusters.contract.world import World, find_starter, in_memory, really
from tests.support.work import make_runtime
from workers.composition import open_tools, open_worker_database

ROUNDS = 20
PAUSE = 0.01


def measure(ground: Ground) -> list[Finding]:
    """Put workspaces on a cluster one after the other."""
    with ground.programs("provision", {}).running() as ours, _world(ground) as world:
        database = open_worker_database(ours.settings)
        tools = open_tools(replace(ours.settings, allow_loopback_clusters=True))
        host, owner_id = _found(database, tools.vault, world.access)
        taken: dict[str, list[float]] = defaultdict(list)
        with _watching(taken):
            for number in range(ROUNDS + 1):
                began, waited = time.monotonic(), sum(taken["cluster"])
                phases = _place(database, tools, host, owner_id, number)
                if number:
                    whole = time.monotonic() - began
                    taken["whole"].append(whole)
                    taken["ours"].append(100.0 * (whole - (sum(taken["cluster"]) - waited)) / whole)
                    for name, seconds in phases.items():
                        taken[f"phase {name}"].append(seconds)
        database.bind.engine.dispose()
    return list(_findings(taken, "real API server" if world.is_real else "API server of the tests"))


def _findings(taken: dict[str, list[float]], where: str) -> Iterator[Finding]:
    for name, values in taken.items():
        if name in ("cluster", "ours"):
            continue
        what = f"a workspace on the {where}" if name == "whole" else f"… its {name}"
        yield Finding(f"{what}, p50", 1e3 * percentile(values, 0.5), "ms")
        yield Finding(f"{what}, p95", 1e3 * percentile(values, 0.95), "ms")
    yield Finding("… what of it is ours, p50", percentile(taken["ours"], 0.5), "%")


@contextmanager
def _world(ground: Ground) -> Iterator[World]:
    beside, cached = ROOT.parent / "shared" / "tools" / "kube" / "kube-up", ROOT / ".cache" / "kube"
    if not find_starter() and (cached / "kube-apiserver").exists():
        os.environ["KUBE_BIN"] = str(cached)
    elif not find_starter() and beside.exists():
        os.environ["KUBE_UP"] = str(beside)
    with really(ground.folder / "kube") if find_starter() else in_memory() as world:
        yield world


@contextmanager
def _watching(taken: dict[str, list[float]]) -> Iterator[None]:
    """Note how long each wait for the cluster takes."""
    call, pause = Exchange.call, turns.pause

    def timed(wait: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any) -> Any:
            began = time.monotonic()
            try:
                return wait(*given)
            finally:
                taken["cluster"].append(time.monotonic() - began)

        return measured

    Exchange.call, turns.pause = timed(call), timed(pause)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Exchange.call, turns.pause = call, pause  # type: ignore[method-assign]


def _found(database: Database, vault: Any, access: Access) -> tuple[Host, UUID]:
    with database.transaction() as session:
        user = register(session, "bench", "bench@example.com", "nobody logs in with this")
        session.flush()
        organization_id = session.scalars(select(Organization.id).where(Organization.owner_id == user.id)).one()
        about = {"organization_id": organization_id, "name": "host", "provider": "kubeconfig"}
        cluster = Cluster(id=new_id(), status="connected", **about)
        seal_access(vault, cluster, access)
        session.add(cluster)
        session.flush()
        return Host(cluster.id, organization_id), user.id


def _place(database: Database, tools: Any, host: Host, owner_id: UUID, number: int) -> dict[str, float]:
    """Put a workspace on the cluster; returns the seconds of each phase."""
    with database.transaction() as session:
        rules = RepositoryRules()
        made = create_workspace(session, host.organization_id, owner_id, {"name": f"Bench {number}"}, rules)
        begun = place_workspace(session, made, host, "namespace", owner_id)
        job_id, workspace_id, provisioning_id = begun.job_id, made.id, begun.id
    runtime = make_runtime(database, tools)
    while not _is_over(database, job_id):
        if not runtime.run_job(job_id):
            time.sleep(PAUSE)
    with database.transaction() as session:
        if session.get_one(Workspace, workspace_id).status != "active":
            raise RuntimeError(str(session.get_one(jobs.Job, job_id).error))
        done = session.get_one(Provisioning, provisioning_id)
        return {phase.name: phase.seconds or 0.0 for phase in done.phases}


def _is_over(database: Database, job_id: UUID) -> bool:
    with database.transaction() as session:
        return session.get_one(jobs.Job, job_id).is_final
