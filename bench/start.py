"""From 202 to the first step, on an idle system, beside a bare Celery task's way from publish to start."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import redis
from celery import Celery

from bench.bare.names import COUNTED, STARTED
from bench.caller import ONE_STEP, Caller, make_repository, newcomer
from bench.findings import Finding, Goal, percentile
from bench.ground import Ground, Programs
from bench.targets import bare_programs
from bench.textbook import WORKER

RUNS = 25
PAUSE = 0.2
MOST_SECONDS = 30.0

_MOMENTS = """
SELECT job.created_at, job.started_at, min(step.started_at), max(step.finished_at)
FROM executions JOIN jobs AS job ON job.id = executions.job_id JOIN steps AS step ON step.execution_id = executions.id
WHERE executions.id = %s AND executions.finished_at IS NOT NULL GROUP BY job.id
"""


def measure(ground: Ground) -> list[Finding]:
    """Start one after the other, each when all is quiet."""
    processes = ("web", "worker-interactive", "worker-ci")
    with ground.platform("start", *processes) as ours, bare_programs(ground, "start_bare", worker=WORKER) as bare:
        caller = newcomer(ours.base, make_repository(ours.folder / "repository"))
        pipeline_id = caller.pipeline(ONE_STEP)
        with psycopg.connect(plain(ours.settings.database_url), autocommit=True) as rows, _client(bare) as celery:
            _start(caller, pipeline_id, rows), _publish(celery, bare)
            pairs = [(_start(caller, pipeline_id, rows), _publish(celery, bare)) for _ in range(RUNS)]
    claimed, stepped, begun = ([1e3 * pair[0][place] for pair in pairs] for place in range(3))
    published = [1e3 * pair[1] for pair in pairs]
    return [
        _beside("202 → job running, idle, p50", claimed, published, statistics.median, Goal(15, "figure")),
        _beside("202 → job running, idle, p99", claimed, published, _p99, Goal(60, "figure")),
        _beside("202 → first step started, p50", stepped, published, statistics.median),
        _beside("202 → first step started, p99", stepped, published, _p99),
        _beside("202 → first step ended, p50", begun, published, statistics.median),
    ]


def plain(database_url: str) -> str:
    """Return the address without SQLAlchemy's driver."""
    return database_url.replace("+psycopg", "", 1)


def _p99(values: Sequence[float]) -> float:
    return percentile(values, 0.99)


def _beside(
    what: str,
    ours: Sequence[float],
    bare: Sequence[float],
    choose: Callable[[Sequence[float]], float],
    goal: Goal | None = None,
) -> Finding:
    return Finding(what, choose(ours), "ms", "Celery publish → start", choose(bare), goal)


def _start(caller: Caller, pipeline_id: str, rows: psycopg.Connection[tuple[Any, ...]]) -> tuple[float, ...]:
    """Start an execution, wait for its end, and return the seconds from its 202 to claim, first step and last end."""
    execution_id, deadline = caller.start(pipeline_id)["id"], time.monotonic() + MOST_SECONDS
    while not (moments := rows.execute(_MOMENTS, (execution_id,)).fetchone()):
        if time.monotonic() > deadline:
            raise RuntimeError("the execution did not end")
        time.sleep(0.05)
    time.sleep(PAUSE)
    return tuple((moment - moments[0]).total_seconds() for moment in moments[1:])


def _client(bare: Programs) -> Celery:
    return Celery("bench", broker=bare.settings.redis_url, set_as_current=False)


def _publish(celery: Celery, bare: Programs) -> float:
    """Send a task and return the seconds until it was started."""
    with redis.Redis.from_url(bare.settings.redis_url, socket_timeout=MOST_SECONDS + 1) as client:
        began = time.time()
        celery.send_task(COUNTED, args=("x",), queue="bare", ignore_result=True)
        told: Any = client.blpop([STARTED], timeout=MOST_SECONDS)
    time.sleep(PAUSE)
    return float(told[1]) - began
