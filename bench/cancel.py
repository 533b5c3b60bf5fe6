"""How long a cancel takes, from its POST to the job's end: of what waits, of what listens, and of what does not."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from app import jobs
from app.kernel.db import Database
from app.kernel.intents import Intent
from bench.caller import Caller, make_repository, newcomer
from bench.findings import Finding, Goal, percentile
from bench.ground import PROCFILE, Ground
from bench.start import plain
from bench.stubborn import Deaf, Native, Polite
from workers.composition import open_worker_database

ROUNDS = 12
# As many as a worker runs at a time.
TOGETHER = 2
MOST_SECONDS = 30.0
SETTLE = 1.0
PROMISED = Goal(2.0, "figure")
COMMAND = PROCFILE["worker-default"].replace("workers.celery_app", "bench.worker")
# It ignores what asks it to end, and starts what does the same elsewhere.
STUBBORN = "trap '' TERM INT HUP; setsid sh -c \"trap '' TERM; sleep 300\" & while true; do sleep 0.2; done"

Begin = Callable[[], str]
Rows = psycopg.Connection[tuple[Any, ...]]


def measure(ground: Ground) -> list[Finding]:
    """Cancel two at a time, some rounds of each."""
    commands = {"worker": COMMAND} | {
        name: PROCFILE[name] for name in ("web", "worker-interactive", "worker-ci", "relay")
    }
    with ground.programs("cancel", commands).running() as ours:
        caller = newcomer(ours.base, make_repository(ours.folder / "repository"))
        stage = {"name": "stubborn", "steps": [{"name": "run", "run": STUBBORN}]}
        pipeline_id = caller.pipeline({"name": "stubborn", "stages": [stage]})
        database = open_worker_database(ours.settings)
        with psycopg.connect(plain(ours.settings.database_url), autocommit=True) as rows:
            owner = rows.execute("SELECT id FROM users ORDER BY created_at DESC LIMIT 1").fetchone()
            assert owner is not None
            accept = partial(_accept, database, owner[0])
            findings = [
                *_findings("a queued job", _rounds(caller, rows, partial(accept, Polite(), 3600.0), "queued")),
                *_findings("running work", _rounds(caller, rows, partial(accept, Polite()), "running")),
                *_findings("work that never asks", _rounds(caller, rows, partial(accept, Deaf()), "running")),
                *_findings("native code", _rounds(caller, rows, partial(accept, Native()), "running")),
                *_findings("a step that ignores SIGTERM", _rounds(caller, rows, _starter(caller, pipeline_id), "step")),
            ]
        database.bind.engine.dispose()
    return findings


def _findings(what: str, seconds: list[float]) -> list[Finding]:
    return [
        Finding(f"cancel of {what}, p50", statistics.median(seconds), "s"),
        Finding("the same, p99", percentile(seconds, 0.99), "s", goal=PROMISED),
    ]


def _accept(database: Database, owner: UUID, intent: Intent, delay: float = 0.0) -> str:
    with database.transaction() as session:
        return str(jobs.accept(session, intent, created_by=owner, delay=delay))


def _starter(caller: Caller, pipeline_id: str) -> Begin:
    return lambda: str(caller.start(pipeline_id)["job_id"])


_BEGUN = {
    "queued": "SELECT 1 FROM jobs WHERE id = %s AND status = 'queued'",
    "running": "SELECT 1 FROM jobs WHERE id = %s AND status = 'running'",
    "step": (
        "SELECT 1 FROM steps JOIN executions ON executions.id = steps.execution_id"
        " WHERE executions.job_id = %s AND steps.status = 'running'"
    ),
}


def _rounds(caller: Caller, rows: Rows, begin: Begin, until: str) -> list[float]:
    """Begin, cancel and await the end of two jobs at a time; return the seconds from each POST to the job's end."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        begun = [begin() for _ in range(TOGETHER)]
        for job_id in begun:
            _await(rows, _BEGUN[until], job_id)
        time.sleep(SETTLE)
        asked = {job_id: _cancel(caller, job_id) for job_id in begun}
        taken += [_ended(rows, job_id) - moment for job_id, moment in asked.items()]
    return taken


def _cancel(caller: Caller, job_id: str) -> float:
    moment = time.time()
    caller.api.post(f"/jobs/{job_id}/cancel", {})
    return moment


def _ended(rows: Rows, job_id: str) -> float:
    query = "SELECT extract(epoch FROM finished_at) FROM jobs WHERE id = %s AND status = 'cancelled'"
    return float(_await(rows, query, job_id)[0])


def _await(rows: Rows, query: str, job_id: str) -> tuple[Any, ...]:
    deadline = time.monotonic() + MOST_SECONDS
    while not (row := rows.execute(query, (job_id,)).fetchone()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"job {job_id} did not get there: {query}")
        time.sleep(0.02)
    return tuple(row)
