"""Cancelling: what is queued ends at once, what runs within two seconds with all it has started, and may run again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from tests.support.callers import Listener, User
from tests.support.pipelines import pipeline, stage, step
from tests.support.platform import Platform, running_with, wait_for
from tests.support.repositories import Repository

# What a user is promised, and what a busy machine adds to each look from outside.
PROMISED = 2.0
ALLOWANCE = 1.0

_numbers = count(1)

STUBBORN = """
trap '' TERM INT HUP
run() { bash -c "trap '' TERM; exec -a PROBE sleep 300"; }
run & setsid bash -c "trap '' TERM; exec -a PROBE sleep 300" &
(setsid nohup bash -c "trap '' TERM; exec -a PROBE sleep 300" >/dev/null 2>&1 &)
echo started
while true; do sleep 0.2 || true; done
"""


@pytest.fixture
def workspace(alice: User, repository: Repository) -> str:
    return alice.make_workspace("Cancel", repository.url)


@pytest.fixture
def probe() -> str:
    """A word in the command lines of what a step starts."""
    return f"probe-{os.getpid()}-cancel-{next(_numbers)}"


@contextmanager
def no_ci_worker(platform: Platform) -> Iterator[None]:
    """Leave the stages without a worker while the block runs."""
    platform.kill("worker-ci")
    yield
    platform.start("worker-ci")


def seconds_until_final(alice: User, execution_id: str, began: float) -> float:
    alice.wait_for_end(execution_id, 15)
    return time.monotonic() - began


@pytest.mark.parametrize("by", ["execution", "job"])
def test_a_running_step_is_stopped_with_its_whole_tree(alice: User, workspace: str, probe: str, by: str) -> None:
    stages = [
        stage("done"),
        stage("stubborn", step("run", STUBBORN.replace("PROBE", probe)), step("next", condition="always()")),
        stage("dependent", needs=["stubborn"], condition="always()"),
    ]
    started = alice.start(alice.make_pipeline(workspace, pipeline(*stages)))
    listener = Listener(alice, f"/executions/{started['id']}/events")
    alice.wait_for_step(started["id"], "stubborn", "run")
    wait_for(lambda: len(running_with(probe)) >= 3)
    path = f"/executions/{started['id']}/cancel" if by == "execution" else f"/jobs/{started['job_id']}/cancel"
    began = time.monotonic()
    reply = alice.post(path)
    data = reply.data(202)
    assert (reply.headers["Location"], data["job_id"]) == (f"/api/v1/jobs/{started['job_id']}", started["job_id"])
    wait_for(lambda: not running_with(probe), PROMISED + ALLOWANCE)
    assert seconds_until_final(alice, started["id"], began) < PROMISED + ALLOWANCE
    assert alice.post(path).error(409)["code"] == "INVALID_STATE"
    execution = alice.execution(started["id"])
    assert (execution["status"], execution["error"]) == ("cancelled", None)
    assert {one["name"]: one["status"] for one in execution["stages"]} == {
        "done": "succeeded",
        "stubborn": "cancelled",
        "dependent": "cancelled",
    }
    assert [one["status"] for one in execution["stages"][1]["steps"]] == ["cancelled", "cancelled"]
    job = alice.get(f"/jobs/{started['job_id']}").data()
    assert (job["status"], job["error"]) == ("cancelled", None)
    assert job["cancel_requested_at"] is not None
    assert [event.type for event in listener.end()][-1] == "execution.finished"


def test_queued_stages_end_at_once_and_a_retry_keeps_what_succeeded(
    platform: Platform, alice: User, workspace: str
) -> None:
    stages = [stage("first"), stage("second", "sleep 30", needs=["first"]), stage("third", needs=["second"])]
    pipeline_id = alice.make_pipeline(workspace, pipeline(*stages))
    with no_ci_worker(platform):
        queued = alice.start(pipeline_id)
        wait_for(lambda: alice.execution(queued["id"])["status"] == "running")
        began = time.monotonic()
        assert alice.post(f"/executions/{queued['id']}/cancel").data(202)["status"] == "cancelled"
        assert time.monotonic() - began < PROMISED
        execution = alice.execution(queued["id"])
        assert {one["status"] for one in execution["stages"]} == {"cancelled"}
        assert {step["attempt"] for one in execution["stages"] for step in one["steps"]} == {0}
    assert alice.post(f"/executions/{queued['id']}/cancel").error(409)["code"] == "INVALID_STATE"
    alice.post(f"/executions/{queued['id']}/retry").data(202)
    alice.wait_for_stage(queued["id"], "second", "running")
    alice.post(f"/executions/{queued['id']}/cancel").data(202)
    execution = alice.wait_for_end(queued["id"])
    assert [one["status"] for one in execution["stages"]] == ["succeeded", "cancelled", "cancelled"]
    assert execution["plan_digest"] == queued["plan_digest"]


def test_a_cancelled_execution_runs_again_by_its_frozen_plan(alice: User, workspace: str) -> None:
    # Cancelled in its first attempt, it goes through in its second.
    stages = [stage("good"), stage("slow", 'test "$CI_ATTEMPT" = 2 || { echo slow; sleep 60; }', needs=["good"])]
    pipeline_id = alice.make_pipeline(workspace, pipeline(*stages))
    started = alice.start(pipeline_id)
    alice.wait_for_step(started["id"], "slow", "run")
    alice.post(f"/jobs/{started['job_id']}/cancel").data(202)
    assert alice.wait_for_end(started["id"])["status"] == "cancelled"
    changed = pipeline(stage("other", "exit 1"))
    assert alice.send("PUT", f"/pipelines/{pipeline_id}", changed).status == 200
    again = alice.post(f"/jobs/{started['job_id']}/retry")
    assert (again.status, again.headers["Location"]) == (202, f"/api/v1/jobs/{started['job_id']}")
    execution = alice.wait_for_end(started["id"])
    assert (execution["status"], execution["plan_digest"]) == ("succeeded", started["plan_digest"])
    assert [(one["name"], one["attempt"]) for one in execution["stages"]] == [("good", 1), ("slow", 2)]
    job = alice.get(f"/jobs/{started['job_id']}").data()
    assert (job["status"], job["attempt"], job["cancel_requested_at"]) == ("succeeded", 2, None)
    of_first = alice.log(started["id"], "slow", "run", "?attempt=1")["logs"]
    assert "slow" in [line["message"] for line in of_first]


def test_one_stage_is_cancelled_by_its_own_job(alice: User, workspace: str) -> None:
    stages = [stage("slow", "echo slow; sleep 60"), stage("beside"), stage("after", needs=["slow"])]
    started = alice.start(alice.make_pipeline(workspace, pipeline(*stages)))
    alice.wait_for_step(started["id"], "slow", "run")
    slow = alice.execution(started["id"])["stages"][0]
    alice.post(f"/jobs/{slow['job_id']}/cancel").data(202)
    execution = alice.wait_for_end(started["id"])
    assert [one["status"] for one in execution["stages"]] == ["cancelled", "succeeded", "skipped"]
    assert execution["status"] == "cancelled"
    refused = alice.post(f"/jobs/{slow['job_id']}/retry").error(409)
    assert refused["code"] == "INVALID_STATE"
    assert started["job_id"] in refused["message"]
