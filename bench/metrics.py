"""Samples: written by remote write and as JSON, read back from a million, and a rule tried on a history in which it
fires a hundred thousand times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import numpy as np

from app.kernel.db import Database
from app.monitoring import Incoming, Place, fold_some, run_trial, write_samples
from app.monitoring.models import AlertTrial
from app.monitoring.points import Points
from bench.caller import API, Caller, newcomer
from bench.client import closed_loop, request_bytes
from bench.findings import Finding, Goal, percentile
from bench.ground import Ground, Programs
from tests.support.metrics import WRITE, remote_write, series
from workers.composition import open_worker_database

# As Prometheus sends them: so many samples in a request, each of another series.
BATCH: Final = 2_000
REQUESTS: Final = 200
# Prometheus sends the samples of a series in order: those of one shard are never on their way twice.
SHARDS: Final = 8
OK: Final = 200
SERIES: Final = 100
POINTS: Final = 10_000
STEP: Final = 15
READS: Final = 200
# The value changes after so many samples: in 10,000 it is 1,000 times too high.
HELD: Final = 5
NAME: Final = "bench_value"
START: Final = 1_767_225_600
PROTOBUF: Final = {"Content_Type": "application/x-protobuf", "Content_Encoding": "snappy"}
REMOTE_GOAL: Final = 100_000
JSON_GOAL: Final = 50_000
ALERTS_GOAL: Final = 10_000


def measure(ground: Ground) -> list[Finding]:
    """Write over HTTP, then fill the store, read over HTTP, and try a rule in this process."""
    with ground.platform("metrics", "web", METRIC_SERIES="0") as ours:
        caller = newcomer(ours.base)
        organization_id = UUID(str(caller.api.get(f"/workspaces/{caller.workspace_id}").data["organization_id"]))
        found = _write_all(ours, caller)
        database = open_worker_database(ours.settings)
        _fill(database, organization_id)
        found += _read_all(ours, caller)
        return [*found, _try_rule(database, organization_id)]


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to write, and how its requests look: the n-th has the next sample of each series of a shard."""

    what: str
    goal: int
    make: Callable[[Caller, int], bytes]


def _write_all(ours: Programs, caller: Caller) -> list[Finding]:
    ways = (_Way("remote write", REMOTE_GOAL, _remote_request), _Way("JSON write", JSON_GOAL, _json_request))
    return [finding for way in ways for finding in _write(ours, caller, way)]


def _write(ours: Programs, caller: Caller, way: _Way) -> Iterator[Finding]:
    requests = [way.make(caller, number) for number in range(REQUESTS)]
    closed_loop(ours.port, requests[:SHARDS], OK)
    load = closed_loop(ours.port, requests[SHARDS:], OK)
    goal = Goal(way.goal, "figure", at_least=True)
    yield Finding(f"{way.what}, {BATCH:,} series a request", load.rate * BATCH, "samples/s", goal=goal)
    yield Finding(f"{way.what}, p99 of a request", 1e3 * percentile(load.seconds, 0.99), "ms")


def _samples(number: int) -> Iterator[tuple[str, int]]:
    """Yield what the samples of a request are of, and their second."""
    turn, shard = divmod(number, SHARDS)
    return ((f"pod-{shard}-{index}", START + turn * STEP) for index in range(BATCH))


def _remote_request(caller: Caller, number: int) -> bytes:
    given = (
        ({"__name__": "bench_remote", "instance": f"host-{index % 50}", "pod": pod}, [[at * 1000, index + number]])
        for index, (pod, at) in enumerate(_samples(number))
    )
    return request_bytes("POST", WRITE, token=caller.token, packed=remote_write(given), **PROTOBUF)


def _json_request(caller: Caller, number: int) -> bytes:
    given = [
        series(
            "bench_json", [[START + number * STEP, index + number]], instance=f"host-{index % 50}", pod=f"pod-{index}"
        )
        for index in range(BATCH)
    ]
    return request_bytes("POST", WRITE, token=caller.token, body={"series": given})


def _fill(database: Database, organization_id: UUID) -> None:
    """Store SERIES times POINTS samples, folded as they are after ten minutes."""
    times = (START + STEP * np.arange(POINTS, dtype=np.int64)) * 1_000_000
    values = (np.arange(POINTS) // HELD % 2).astype(np.float64)
    for number in range(SERIES):
        labels = {"group": str(number % 10), "pod": f"pod-{number}"}
        with database.transaction() as session:
            write_samples(session, Place(organization_id), [Incoming(NAME, labels, Points(times, values))], 0)
    folded = 1
    while folded:
        with database.transaction() as session:
            folded = fold_some(session)


def _read_all(ours: Programs, caller: Caller) -> list[Finding]:
    last = START + STEP * POINTS
    six_hours = {"start": last - 6 * 3600, "end": last}
    asked = {
        "a chart of one series, 6 h": ("timeseries", {"name": NAME, "labels": "pod=pod-7", **six_hours}),
        "a rate by pod of 10 series, 6 h": (
            "query",
            {"query": f'sum by (pod) (rate({NAME}{{group="3"}}[5m]))', **six_hours},
        ),
        "the sum of all 100 series, 40 h": ("query", {"query": f"sum({NAME})", "start": START, "end": last}),
    }
    found = []
    for what, (path, query) in asked.items():
        request = request_bytes("GET", f"{API}/metrics/{path}?{urlencode(query)}", token=caller.token)
        closed_loop(ours.port, [request], OK)
        seconds = closed_loop(ours.port, repeat(request, READS), OK, connections=1).seconds
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            told = f"of {SERIES * POINTS:,} samples {what}, {name}"
            found.append(Finding(told, 1e3 * percentile(seconds, share), "ms"))
    return found


def _try_rule(database: Database, organization_id: UUID) -> Finding:
    rule = {"kind": "threshold", "query": NAME, "operator": ">", "threshold": 0.5, "window_seconds": 300}
    rule |= {"percent": False, "for_seconds": 0, "keep_seconds": 0, "interval_seconds": STEP}
    trial = AlertTrial(organization_id=organization_id, proposed=rule, start=START, end=START + STEP * POINTS)
    with database.transaction() as session:
        session.add(trial)
        session.flush()
        began = time.perf_counter()
        fired = run_trial(session, trial.id)["fired"]
        took = time.perf_counter() - began
    if fired != SERIES * POINTS // (2 * HELD):
        raise RuntimeError(f"the rule fired {fired} times")
    goal = Goal(ALERTS_GOAL, "figure", at_least=True)
    return Finding(f"a rule tried on history, {fired:,} alerts", fired / took, "alerts/s", goal=goal)
