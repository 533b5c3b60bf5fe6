"""A thousand executions queued at once: listed while they wait, then drained, and what memory that takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import Any

import psutil
import psycopg

from bench.caller import API, ONE_STEP, Caller, make_repository, newcomer
from bench.client import closed_loop, request_bytes
from bench.findings import Finding, Goal
from bench.ground import Ground, Programs
from bench.meters import family
from bench.start import plain

EXECUTIONS = 1000
WARM_UP = 100
PAGE = 100
RUNS = 9
MOST_SECONDS = 3600.0
WORKERS = ("worker-interactive", "worker-ci")
MEGABYTE = 1e6

Rows = psycopg.Connection[tuple[Any, ...]]


def measure(ground: Ground) -> list[Finding]:
    """Drain some, so that every process has its size; then queue all while the workers stand still."""
    with ground.platform("queue", "web", "relay", *WORKERS) as ours:
        caller = newcomer(ours.base, make_repository(ours.folder / "repository"))
        pipeline_id = caller.pipeline(ONE_STEP)
        with psycopg.connect(plain(ours.settings.database_url), autocommit=True) as rows:
            _queue(ours, caller, pipeline_id, WARM_UP)
            _drained(rows, WARM_UP)
            few = _pages(caller, WARM_UP)
            before = _resident(ours)
            with _standing_still(ours):
                _queue(ours, caller, pipeline_id, EXECUTIONS)
                many = _pages(caller, EXECUTIONS)
            began = time.monotonic()
            largest = _drained(rows, WARM_UP + EXECUTIONS, ours)
            rate = EXECUTIONS / (time.monotonic() - began)
    return [
        Finding("page of 1,000 queued executions, any", many, "ms", "of 100", few, Goal(1.5)),
        Finding("executions drained", rate, "/s"),
        Finding(
            "resident at most while they are, all processes",
            largest / MEGABYTE,
            "MB",
            "before",
            before / MEGABYTE,
            Goal(1.15),
        ),
    ]


def _queue(ours: Programs, caller: Caller, pipeline_id: str, count: int) -> None:
    request = request_bytes("POST", f"{API}/pipelines/{pipeline_id}/executions", token=caller.token, body={})
    closed_loop(ours.port, repeat(request, count), 202)


def _pages(caller: Caller, expected: int) -> float:
    """Read the whole list page by page; return the median milliseconds of a page."""
    taken: list[float] = []
    for _ in range(RUNS):
        seen, page = 0, 1
        while seen < expected:
            began = time.perf_counter()
            found = caller.api.get(f"/executions?limit={PAGE}&page={page}").data
            taken.append(1e3 * (time.perf_counter() - began))
            if not found:
                raise RuntimeError(f"the list shows {seen} executions of {expected}")
            seen, page = seen + len(found), page + 1
    return statistics.median(taken)


@contextmanager
def _standing_still(ours: Programs) -> Iterator[None]:
    stopped = [process for name in WORKERS for process in family(ours.pid(name))]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


def _drained(rows: Rows, count: int, watched: Programs | None = None) -> int:
    """Wait until so many executions have succeeded; return the most memory that was resident meanwhile."""
    deadline, most = time.monotonic() + MOST_SECONDS, 0
    query = "SELECT count(*) FROM executions WHERE status = 'succeeded'"
    while (row := rows.execute(query).fetchone()) and row[0] < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{row[0]} of {count} executions have succeeded")
        most = max(most, _resident(watched)) if watched else 0
        time.sleep(0.5)
    return most


def _resident(ours: Programs) -> int:
    """Return the memory of the processes themselves and their pools; what their steps start comes and goes."""
    total = 0
    for name in ("web", "relay", *WORKERS):
        main = psutil.Process(ours.pid(name))
        for process in (main, *main.children()):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total
