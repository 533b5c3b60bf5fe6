"""Points a second over HTTP: series that are given to the platform, from the first request to the end of the last
scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.anomaly.series import Series
from bench.caller import Caller, newcomer
from bench.ground import Ground

AT_ONCE = 4
MOST_SERIES = 20

Pace = Callable[[Sequence[Series]], float]
"""Returns how many points of some series are judged a second."""


@contextmanager
def over_http() -> Iterator[Pace]:
    """Run the API and a worker of two processes, as `make up` does."""
    with Ground.opened() as ground, ground.platform("anomaly", "web", "worker-sre", "relay") as ours:
        caller = newcomer(ours.base)
        yield lambda series: _pace(caller, series[:MOST_SERIES])


def _pace(caller: Caller, series: Sequence[Series]) -> float:
    bodies = [{"series": [_given(one)]} for one in series]
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda body: _scan(caller, body), bodies))
    seconds = time.perf_counter() - began
    return sum(len(body["series"][0]["values"]) for body in bodies) / seconds


def _given(one: Series) -> dict[str, Any]:
    finite = np.isfinite(one.values)
    return {"name": "given", "timestamps": one.times[finite].tolist(), "values": one.values[finite].tolist()}


def _scan(caller: Caller, body: dict[str, Any]) -> None:
    job_id = caller.api.post("/sre/scans", body).data["job_id"]
    while not (job := caller.api.get(f"/jobs/{job_id}?wait=30").data)["finished_at"]:
        pass
    if job["status"] != "succeeded":
        raise RuntimeError(f"a scan has {job['status']}: {job['error']}")
