"""A thousand clusters, of which a fifth become black holes: how soon it is noticed that one goes away or comes back,
what the dead cost the living, what a reader waits for, and what a cluster costs in memory.

The servers are those of the tests, over TLS, in a process of their own on the same machine.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine

from app import jobs
from app.clusters import Access, Cluster, ClusterHealth, SweepClusters
from app.clusters.models import vault_context
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.ids import new_id
from bench.caller import API, Caller, newcomer
from bench.client import Connection, request_bytes
from bench.findings import Finding, Goal, percentile
from bench.ground import Ground, Programs
from bench.meters import family, resident_bytes
from bench.start import plain
from workers.composition import open_worker_database

CLUSTERS = 1000
DEAD = 200
# As the settings have it, so that what is told is what an installation gets.
INTERVAL = 60.0
TIMEOUT = 3.0
# Time for a cluster that goes away to fail three times in a row.
SWEEPS = 3
SWEEP_SECONDS = 60.0
RUNS = 60

_GAPS = """
SELECT extract(epoch FROM at - lag(at) OVER (PARTITION BY cluster_id ORDER BY at)) FROM cluster_checks
WHERE cluster_id = ANY(%s) AND at >= %s
"""
_FLIPS = """
SELECT extract(epoch FROM created_at - %s) FROM events
WHERE type = 'cluster.health_changed' AND data ->> 'new_status' = %s AND created_at >= %s
"""


@dataclass(frozen=True)
class Fleet:
    """The servers and what opens each."""

    accesses: list[Access]
    process: subprocess.Popen[str]

    def tell(self, words: str) -> None:
        """Tell them what becomes of them, and wait until they have heard."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(words, file=self.process.stdin, flush=True)
        self.process.stdout.readline()


def measure(ground: Ground) -> list[Finding]:
    """Sweep over all, then with a fifth of them gone, then with those back: nine minutes."""
    changed = {
        "ALLOW_LOOPBACK_CLUSTERS": "true",
        "CLUSTER_CHECK_SECONDS": str(INTERVAL),
        "CLUSTER_CHECK_TIMEOUT_SECONDS": str(TIMEOUT),
        "CLUSTER_CHECK_LONGEST_SECONDS": str(INTERVAL),
        "WORKER_CLUSTERS_CONCURRENCY": "1",
    }
    with _fleet() as fleet, ground.platform("clusters", "web", "worker-clusters", "relay", **changed) as ours:
        caller, database = newcomer(ours.base), open_worker_database(ours.settings)
        before = _memory(ours)
        ids = _register(ours, database, caller, fleet)
        with psycopg.connect(plain(ours.settings.database_url), autocommit=True) as connection:
            began = _sweep_through(database, connection)
            alone = _ask(connection, _GAPS, ids[DEAD:], began)
            fleet.tell(f"die {DEAD}")
            went = _sweep_through(database, connection)
            beside = _ask(connection, _GAPS, ids[DEAD:], went)
            lost = _ask(connection, _FLIPS, went, "error", went)
            listed = _read_lists(ours, caller, ids)
            fleet.tell("live")
            came = _sweep_through(database, connection)
            back = _ask(connection, _FLIPS, came, "connected", came)
        grown = _memory(ours) - before
        _close(database)
    return [*_timely(alone, beside, lost, back), *_costs(listed, grown)]


def _timely(alone: list[float], beside: list[float], lost: list[float], back: list[float]) -> Iterator[Finding]:
    if not all((alone, beside, lost, back)):
        checks = {"alone": len(alone), "beside": len(beside), "lost": len(lost), "back": len(back)}
        raise RuntimeError(
            f"this machine is too busy to check {CLUSTERS} clusters twice in {SWEEPS * SWEEP_SECONDS} s: {checks}"
        )
    p95 = percentile(alone, 0.95)
    yield Finding(f"{CLUSTERS} clusters, between two checks of one, p95", p95, "s", goal=Goal(2 * INTERVAL, "figure"))
    what = f"the same of the others, with {DEAD} black holes"
    yield Finding(what, percentile(beside, 0.95), "s", "without them", p95, Goal(1.1))
    yield Finding(f"of {DEAD} that go away, noticed", 100 * len(lost) / DEAD, "%", goal=Goal(100, "figure", True))
    for name, values in (("goes away", lost), ("comes back", back)):
        yield Finding(f"a cluster that {name}, noticed after, p50", statistics.median(values), "s")
        yield Finding("the same, p95", percentile(values, 0.95), "s", goal=Goal(2.5 * INTERVAL, "figure"))


def _costs(listed: dict[str, float], grown: float) -> Iterator[Finding]:
    for what, milliseconds in listed.items():
        yield Finding(f"{what}, p95", milliseconds, "ms", goal=Goal(100, "figure"))
    yield Finding("memory of the worker, a cluster", grown / CLUSTERS / 1e3, "kB", goal=Goal(100, "figure"))


@contextmanager
def _fleet() -> Iterator[Fleet]:
    command = [sys.executable, "-m", "bench.fleet", str(CLUSTERS)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        told = json.loads(started.stdout.readline())
        yield Fleet([Access.from_json(one.encode()) for one in told], started)
    finally:
        started.terminate()
        started.communicate()


def _register(ours: Programs, database: Database, caller: Caller, fleet: Fleet) -> list[UUID]:
    """Write the clusters as the API does, connected, with checks spread over the interval."""
    vault = Vault(ours.settings.secret_key)
    organization_id = UUID(caller.api.get(f"/workspaces/{caller.workspace_id}").data["organization_id"])
    ids = [new_id() for _ in fleet.accesses]
    with database.transaction() as session:
        for number, (cluster_id, access) in enumerate(zip(ids, fleet.accesses, strict=True)):
            due = database_now() + sql_seconds(INTERVAL * number / CLUSTERS)
            cluster = Cluster(id=cluster_id, organization_id=organization_id, name=f"c{number}", provider="kubeconfig")
            cluster.server, cluster.status = access.server, "connected"
            cluster.credentials = vault.encrypt(access.to_json(), vault_context(cluster_id))
            cluster.health = ClusterHealth(next_check_at=due)
            session.add(cluster)
    return ids


def _sweep_through(database: Database, connection: psycopg.Connection[Any]) -> Any:
    """Ask for sweeps, as beat does each minute, and wait for their end; returns when they began."""
    moment = connection.execute("SELECT clock_timestamp()").fetchone()
    for _ in range(SWEEPS):
        with database.transaction() as session:
            jobs.accept(session, SweepClusters())
        time.sleep(SWEEP_SECONDS)
    return moment[0] if moment else None


def _ask(connection: psycopg.Connection[Any], question: str, *given: Any) -> list[float]:
    rows = connection.execute(question, given).fetchall()
    return [float(row[0]) for row in rows if row[0] is not None]


def _read_lists(ours: Programs, caller: Caller, ids: Sequence[UUID]) -> dict[str, float]:
    """Read lists, also of a dead cluster, while the sweeper rests."""
    paths = {
        f"a page of {CLUSTERS} clusters": f"{API}/clusters?limit=20",
        "namespaces of a dead cluster": f"{API}/clusters/{ids[0]}/namespaces",
        "health of a dead cluster": f"{API}/clusters/{ids[0]}/health",
    }
    connection = Connection(ours.port)
    found = {}
    for what, path in paths.items():
        request = request_bytes("GET", path, token=caller.token)
        found[what] = percentile([_time(connection, request) for _ in range(RUNS)], 0.95)
    return found


def _time(connection: Connection, request: bytes) -> float:
    began = time.perf_counter()
    connection.send(request, 200)
    return 1e3 * (time.perf_counter() - began)


def _memory(ours: Programs) -> int:
    return resident_bytes(process.pid for process in family(ours.pid("worker-clusters")))


def _close(database: Database) -> None:
    assert isinstance(database.bind, Engine)
    database.bind.dispose()
