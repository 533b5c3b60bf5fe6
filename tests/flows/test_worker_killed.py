"""What dies in the middle of a step: the execution ends all the same, and its log has no hole and no double."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import redis

from launcher.embedded.server import EmbeddedServer
from tests.support.callers import Caller, Heard, Listener, User, lines_heard
from tests.support.pipelines import pipeline, stage, step
from tests.support.platform import Platform, children_of, running_with, wait_for
from tests.support.repositories import Repository

LINES = 60
SECONDS = 90

_numbers = count(1)


@dataclass
class Started:
    """An execution under way, followed from its beginning. `probe` is in the command line of what its step left."""

    user: User
    id: str
    job_id: str
    probe: str
    events: Listener
    job: Listener
    log: Listener

    def wait_for_lines(self, lines: int = 10, attempt: int = 1) -> None:
        self.user.wait_for_step(self.id, "work", "count", lines, attempt)

    def stored(self, attempt: int) -> list[dict[str, Any]]:
        """Return the lines of an attempt, as the store has them."""
        page = self.user.log(self.id, "work", "count", f"?attempt={attempt}&limit=10000")
        lines: list[dict[str, Any]] = page["logs"]
        return lines

    def survivors(self) -> list[Any]:
        return running_with(self.probe)


Begin = Callable[..., Started]


@pytest.fixture
def begin(platform: Platform, alice: User, repository: Repository) -> Begin:
    """Start an execution whose first step counts slowly and leaves processes behind it, and listen to it."""

    def begin() -> Started:
        probe = f"probe-{os.getpid()}-{next(_numbers)}"
        leave = f"bash -c 'exec -a {probe} sleep 300' & setsid bash -c 'exec -a {probe} sleep 300' &"
        script = f"{leave}\nfor i in $(seq {LINES}); do echo line $i; sleep 0.05; done"
        workspace = alice.make_workspace("Work", repository.url)
        stages = [stage("work", step("count", script)), stage("after", needs=["work"])]
        started = alice.start(alice.make_pipeline(workspace, pipeline(*stages)))
        paths = (
            f"/executions/{started['id']}/events",
            f"/jobs/{started['job_id']}/events",
            f"/executions/{started['id']}/logs/work/count?follow=true",
        )
        return Started(alice, started["id"], started["job_id"], probe, *[Listener(alice, path) for path in paths])

    return begin


def assert_whole(lines: list[dict[str, Any]]) -> None:
    """An attempt that was not interrupted wrote every line once, in order."""
    said = [line["message"] for line in lines if line["stream"] == "stdout"]
    assert said == [f"line {number}" for number in range(1, LINES + 1)]


def assert_gapless(lines: list[dict[str, Any]]) -> None:
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))


def assert_consistent(started: Started, attempts: int) -> None:
    """Hold what was heard against what is stored: each attempt gapless, the newest whole, nothing heard twice."""
    heard = lines_heard(started.log.end(SECONDS))
    for attempt in range(1, attempts + 1):
        stored = started.stored(attempt)
        assert_gapless(stored)
        assert [line for of, line in heard if of == attempt] == stored
    assert [attempt for attempt, _ in heard] == sorted(attempt for attempt, _ in heard)
    assert_whole(started.stored(attempts))
    for listener in (started.events, started.job):
        ids = [event.id for event in listener.end(SECONDS)]
        assert ids == [str(number) for number in range(1, len(ids) + 1)]
    assert_percent_never_falls(started.job.heard)


def assert_percent_never_falls(heard: list[Heard]) -> None:
    by_attempt: dict[int, list[float]] = {}
    for event in heard:
        job = event.data["data"]
        by_attempt.setdefault(job["attempt"], []).append(job["progress"]["percent"])
    assert all(percents == sorted(percents) for percents in by_attempt.values())


def assert_ran_twice(platform: Platform, started: Started) -> None:
    execution = started.user.wait_for_end(started.id, SECONDS)
    assert (execution["status"], execution["error"]) == ("succeeded", None)
    work, after = execution["stages"]
    assert [(one["status"], one["attempt"]) for one in (work, after)] == [("succeeded", 2), ("succeeded", 1)]
    assert (work["steps"][0]["attempt"], work["steps"][0]["exit_code"]) == (2, 0)
    job = started.user.get(f"/jobs/{work['job_id']}").data()
    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert 0 < len(started.stored(1)) < len(started.stored(2))
    assert_consistent(started, attempts=2)
    wait_for(lambda: not started.survivors(), 3)
    wait_for(lambda: not any(platform.work_dir.rglob(f"{work['id']}.*")), 5)


def busy_child(platform: Platform) -> int:
    """Return the pool process of the worker that runs a step."""
    return wait_for(
        lambda: next((child for child in children_of(platform.pid("worker-ci")) if children_of(child)), None)
    )


def test_a_worker_is_killed_in_the_middle_of_a_step(platform: Platform, begin: Begin) -> None:
    started = begin()
    started.wait_for_lines()
    assert started.survivors()
    platform.kill("worker-ci")
    wait_for(lambda: not started.survivors(), 2)
    platform.start("worker-ci")
    assert_ran_twice(platform, started)


def test_only_the_process_that_runs_the_step_is_killed(platform: Platform, begin: Begin) -> None:
    started = begin()
    started.wait_for_lines()
    os.kill(busy_child(platform), signal.SIGKILL)
    wait_for(lambda: not started.survivors(), 2)
    assert_ran_twice(platform, started)


def test_a_worker_that_stood_still_past_its_lease_writes_nothing_more(platform: Platform, begin: Begin) -> None:
    started = begin()
    started.wait_for_lines()
    child = busy_child(platform)
    os.kill(child, signal.SIGSTOP)
    before = started.stored(1)
    try:
        started.wait_for_lines(1, attempt=2)
    finally:
        os.kill(child, signal.SIGCONT)
    assert_ran_twice(platform, started)
    assert started.stored(1) == before


def test_a_worker_that_is_asked_to_stop_ends_its_step_first(platform: Platform, begin: Begin) -> None:
    started = begin()
    started.wait_for_lines()
    platform.signal("worker-ci", signal.SIGTERM)
    wait_for(lambda: not platform.is_running("worker-ci"), 20)
    platform.start("worker-ci")
    execution = started.user.wait_for_end(started.id, SECONDS)
    assert [(one["status"], one["attempt"]) for one in execution["stages"]] == [("succeeded", 1)] * 2
    assert_consistent(started, attempts=1)


def test_web_stream_and_relay_are_killed_one_after_the_other(platform: Platform, begin: Begin) -> None:
    started = begin()
    for lines, name in ((5, "stream"), (15, "web"), (25, "relay")):
        started.wait_for_lines(lines)
        platform.restart(name)
    execution = started.user.wait_for_end(started.id, SECONDS)
    assert [(one["status"], one["attempt"]) for one in execution["stages"]] == [("succeeded", 1)] * 2
    assert_consistent(started, attempts=1)
    assert started.log.connections > 1


def test_redis_is_wiped_again_and_again(platform: Platform, begin: Begin) -> None:
    with redis.Redis.from_url(platform.servers.redis.url) as client:
        started = begin()
        deadline = time.monotonic() + SECONDS
        while started.user.execution(started.id)["status"] in ("queued", "running"):
            assert time.monotonic() < deadline
            client.flushall()
            time.sleep(0.4)
    execution = started.user.execution(started.id)
    assert [(one["status"], one["attempt"]) for one in execution["stages"]] == [("succeeded", 1)] * 2
    assert_consistent(started, attempts=1)


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_server_is_killed_and_comes_back(platform: Platform, begin: Begin, name: str) -> None:
    server: EmbeddedServer = getattr(platform.servers, name)
    started = begin()
    started.wait_for_lines()
    port = server.port
    server.kill()
    time.sleep(1)
    server.start()
    assert server.port == port
    wait_for(lambda: Caller(platform.base).get("/executions").status == 401)
    execution = started.user.wait_for_end(started.id, SECONDS)
    assert [(one["status"], one["attempt"]) for one in execution["stages"]] == [("succeeded", 1)] * 2
    assert_consistent(started, attempts=1)
