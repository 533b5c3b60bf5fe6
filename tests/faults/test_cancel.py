"""Cancelling work that cannot hear of it, on a real worker: it ends all the same, and the worker goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.ground import Ground, commands
from tests.faults.reading import life_of
from tests.support.callers import User
from tests.support.platform import wait_for

# Two seconds are promised; a machine that does other things beside takes its time.
SECONDS = 15.0
NEEDED = ("web", "worker-default", "relay")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    needed = {name: command for name, command in commands(skew=0).items() if name in NEEDED}
    with Ground.opened(tmp_path_factory.mktemp("faults"), needed) as ground:
        yield ground


@pytest.fixture(scope="module")
def alice(ground: Ground) -> User:
    return User.registered(ground.platform.base, "alice")


def start(user: User, kind: str, seconds: float = 0.0) -> str:
    body = {"kind": kind, "ref": kind, "seconds": seconds}
    return str(user.post("/trials", body).data(202)["job_id"])


def status(user: User, job_id: str) -> str:
    return str(user.get(f"/jobs/{job_id}").data()["status"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grind", "deaf", "sleep"])
def test_work_that_cannot_hear_is_cancelled_and_its_worker_goes_on(alice: User, kind: str) -> None:
    both = [start(alice, kind, 600) for _ in range(2)]
    for job_id in both:
        wait_for(lambda job_id=job_id: status(alice, job_id) == "running", SECONDS)  # type: ignore[misc]
        alice.post(f"/jobs/{job_id}/cancel").data(202)
    for job_id in both:
        wait_for(lambda job_id=job_id: status(alice, job_id) == "cancelled", SECONDS)  # type: ignore[misc]
        assert life_of(alice, job_id).faults() == []
        assert life_of(alice, job_id).attempts == 1
    after = start(alice, "noop")
    wait_for(lambda: status(alice, after) == "succeeded", SECONDS)
