"""A whole job that does nothing, from accept to its last event, beside a bare Celery task with events.

The queue is filled while the worker stands still, then drained, so that both workers find their work the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import redis
from celery import Celery

from app import jobs
from app.kernel.db import Database
from bench.bare.names import NOTHING, QUEUE
from bench.findings import Finding, Goal, in_turns, median_ratio
from bench.ground import PROCFILE, Ground, Programs
from bench.meters import Taken, family, taking
from bench.noop import Nothing
from bench.start import plain
from bench.targets import ROUNDS, bare_programs
from bench.textbook import WORKER
from workers.composition import open_worker_database

JOBS = 80
MOST_SECONDS = 60.0
SETTLE = 0.3
IsDone = Callable[[], bool]
COMMAND = PROCFILE["worker-default"].replace("workers.celery_app", "bench.worker")


def measure(ground: Ground) -> list[Finding]:
    """Run rounds of both in turns."""
    ours_programs = ground.programs("job", {"worker": COMMAND})
    with ours_programs.running() as ours, bare_programs(ground, "job_bare", worker=WORKER) as bare:
        database = open_worker_database(ours.settings)
        with (
            psycopg.connect(plain(ours.settings.database_url), autocommit=True) as rows,
            redis.Redis.from_url(bare.settings.redis_url) as client,
            Celery("bench", broker=bare.settings.redis_url, set_as_current=False) as celery,
        ):
            ways: dict[str, Callable[[], tuple[Taken, Taken]]] = {
                "ours": lambda: _round(ground, ours, lambda: _accept(database), lambda: _none_is_open(rows)),
                "bare": lambda: _round(ground, bare, lambda: _publish(celery), lambda: not client.exists(QUEUE)),
            }
            for way in ways.values():
                way()
            taken = in_turns(ROUNDS, ways)
        database.bind.engine.dispose()
    return _compare(taken["ours"], taken["bare"])


def _compare(ours: list[tuple[Taken, Taken]], bare: list[tuple[Taken, Taken]]) -> list[Finding]:
    alone = [1e3 * one.cpu / JOBS for one, _ in ours], [1e3 * one.cpu / JOBS for one, _ in bare]
    whole = [1e3 * two.cpu / JOBS for _, two in ours], [1e3 * two.cpu / JOBS for _, two in bare]
    return [
        _finding("a whole no-op job, CPU", *alone, Goal(1.5)),
        _finding("the same with PostgreSQL and Redis", *whole, None),
    ]


def _finding(what: str, ours: list[float], bare: list[float], goal: Goal | None) -> Finding:
    middle = sorted(ours)[len(ours) // 2]
    return Finding(what, middle, "ms", "Celery with events", middle / median_ratio(ours, bare), goal)


def _round(ground: Ground, programs: Programs, fill: Callable[[], None], is_done: IsDone) -> tuple[Taken, Taken]:
    """Do a round; return what it took of the programs and this process, and what with the servers."""
    pid = programs.pid("worker")
    with taking(pid, *ground.pids(), own=True) as whole, taking(pid, own=True) as alone:
        for process in family(pid):
            process.suspend()
        fill()
        for process in family(pid):
            process.resume()
        _wait(is_done)
    return alone, whole


def _accept(database: Database) -> None:
    for _ in range(JOBS):
        with database.transaction() as session:
            jobs.accept(session, Nothing())


def _publish(celery: Celery) -> None:
    for _ in range(JOBS):
        celery.send_task(NOTHING, args=("0190d6f2-0000-7000-8000-000000000000",), queue=QUEUE, ignore_result=True)


def _none_is_open(rows: psycopg.Connection[tuple[int]]) -> bool:
    return rows.execute("SELECT 1 FROM jobs WHERE finished_at IS NULL LIMIT 1").fetchone() is None


def _wait(is_done: IsDone) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError("the jobs did not end")
        time.sleep(0.1)
    # What was taken last may still be at work.
    time.sleep(SETTLE)
