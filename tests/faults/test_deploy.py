"""Deploys: a stop lets short work end, hands long work back without using up an attempt, and loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.chain import definition
from tests.faults.ground import Ground, commands
from tests.faults.load import Load, make_wishes
from tests.faults.reading import Life, life_of
from tests.support.callers import User
from tests.support.platform import wait_for
from tests.support.repositories import Repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 60.0
# A worker lets jobs end for so long, before it hands them back.
STOP_SECONDS = 3
HANDED_BACK = "The worker was stopped"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("deploys")
    with Ground.opened(folder, commands(skew=0), JOB_STOP_SECONDS=str(STOP_SECONDS)) as ground:
        yield ground


@pytest.fixture(scope="module")
def alice(ground: Ground) -> User:
    return User.registered(ground.platform.base, "alice")


def start(user: User, kind: str, seconds: float) -> str:
    job_id = str(user.post("/trials", {"kind": kind, "ref": kind, "seconds": seconds}).data(202)["job_id"])
    wait_for(lambda: status(user, job_id) == "running", SECONDS)
    return job_id


def status(user: User, job_id: str) -> str:
    return str(user.get(f"/jobs/{job_id}").data()["status"])


def end(user: User, job_id: str) -> Life:
    """Wait for the good end of a job, and return its life."""
    wait_for(lambda: status(user, job_id) not in ("queued", "running"), SECONDS)
    assert status(user, job_id) == "succeeded"
    assert life_of(user, job_id).faults() == []
    return life_of(user, job_id)


def stop(ground: Ground, name: str) -> None:
    """Stop a process as an orchestrator does, and start it again."""
    ground.platform.signal(name, signal.SIGTERM)
    wait_for(lambda: not ground.platform.is_running(name), SECONDS)
    ground.platform.start(name)


def test_short_work_ends_before_its_worker_does(ground: Ground, alice: User) -> None:
    job_id = start(alice, "long", 2.0)
    stop(ground, "worker-ci")
    life = end(alice, job_id)
    assert (life.attempts, life.returned(HANDED_BACK)) == (1, 0)


def test_long_work_is_handed_back_twice_and_has_used_up_no_attempt(ground: Ground, alice: User) -> None:
    job_id = start(alice, "long", 8.0)
    before = alice.get(f"/jobs/{job_id}").data()
    for attempt in (1, 2):
        wait_for(lambda attempt=attempt: attempts(alice, job_id) == attempt, SECONDS)  # type: ignore[misc]
        stop(ground, "worker-ci")
    life = end(alice, job_id)
    assert (life.attempts, life.returned(HANDED_BACK)) == (3, 2)
    after = alice.get(f"/jobs/{job_id}").data()
    assert after["max_attempts"] - after["attempt"] == before["max_attempts"] - before["attempt"]


def attempts(user: User, job_id: str) -> int:
    job = user.get(f"/jobs/{job_id}").data()
    return int(job["attempt"]) if job["status"] == "running" else 0


def test_all_is_stopped_and_started_under_load_and_nothing_is_lost(ground: Ground, alice: User, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    repository.commit({"README.md": "A shop.\n"})
    workspace = alice.make_workspace("Shop", repository.url)
    wishes = make_wishes(seed=5, jobs=40, long_seconds=4.0)
    load = Load(alice, alice.make_pipeline(workspace, definition("probe-deploys")), wishes, seconds=8.0)
    load.start()
    ground.deploy()
    wait_for(lambda: ground.tick() or not ground.is_deploying, 2 * SECONDS)
    assert load.join(2 * SECONDS)
    assert load.refused == []
    for promise in load.promises:
        wait_for(lambda job_id=promise.job_id: status(alice, job_id) not in ("queued", "running"), SECONDS)  # type: ignore[misc]
        assert status(alice, promise.job_id) in ("succeeded", "cancelled" if promise.wish.cancel else "succeeded")
        assert life_of(alice, promise.job_id).faults() == []
    assert ground.stuck == []
