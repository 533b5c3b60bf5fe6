"""GET a job's status beside a page that asks Celery's AsyncResult."""

from __future__ import annotations

from celery import Celery

from bench.caller import API, ONE_STEP, newcomer
from bench.client import request_bytes
from bench.findings import Finding, Goal
from bench.ground import Ground, Programs
from bench.targets import Rounds, Target
from bench.textbook import textbook

TASK = "0190d6f2-0000-7000-8000-000000000000"


def measure(ground: Ground) -> list[Finding]:
    """Measure both in turns."""
    with ground.platform("status", "web") as ours, textbook(ground, "status_book") as book:
        caller = newcomer(ours.base)
        job_id = caller.start(caller.pipeline(ONE_STEP))["job_id"]
        _keep_result(book.programs.settings.redis_url)
        rounds = Rounds.of(
            {
                "ours": _target(ground, ours, f"{API}/jobs/{job_id}", caller.token),
                "AsyncResult.state": _target(ground, book.programs, f"/jobs/{TASK}", book.token),
            }
        )
    servers = rounds.servers("ours"), rounds.servers("AsyncResult.state")
    return [
        rounds.cpu("GET job status, CPU a request", "ours", "AsyncResult.state", Goal(0.4)),
        Finding("the same, CPU of the servers", servers[0], "ms", "AsyncResult.state", servers[1]),
    ]


def _target(ground: Ground, programs: Programs, path: str, token: str) -> Target:
    return Target(programs.port, request_bytes("GET", path, token=token), 200, programs.pid("web"), ground.pids())


def _keep_result(redis_url: str) -> None:
    with Celery("bench", backend=redis_url, set_as_current=False) as celery:
        celery.backend.store_result(TASK, {"ok": True}, "SUCCESS")
