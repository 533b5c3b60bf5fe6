"""`headrace runner`, a real process, at work for a real platform: it runs stages, and whatever dies, they end once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.callers import User
from tests.support.pipelines import pipeline, stage, step
from tests.support.platform import Platform, running_with, wait_for
from tests.support.repositories import Repository
from tests.support.runner_process import RunnerProcess, registered

SECONDS = 90
REVOKED = 3

_numbers = count(1)

Register = Callable[..., RunnerProcess]


@pytest.fixture
def workspace(alice: User, repository: Repository) -> dict[str, Any]:
    workspace_id = alice.make_workspace(f"machines {next(_numbers)}", repository.url)
    made: dict[str, Any] = alice.get(f"/workspaces/{workspace_id}").data()
    return made


@pytest.fixture
def register(alice: User, workspace: dict[str, Any], tmp_path: Path) -> Iterator[Register]:
    """Register runners of Alice's organization."""
    with ExitStack() as opened:
        yield lambda name="first", *labels: opened.enter_context(
            registered(alice, workspace["organization_id"], tmp_path / name, *(labels or ("here",)))
        )


def counting(probe: str, lines: int = 200) -> dict[str, Any]:
    """Return a stage that counts slowly, on a runner."""
    script = f"for n in $(seq {lines}); do echo line $n; sleep 0.1; done; : {probe}"
    return stage("work", step("count", script), runs_on="here")


def begin(alice: User, workspace: dict[str, Any], *stages: dict[str, Any]) -> str:
    named = f"machines {next(_numbers)}"
    made = alice.make_pipeline(workspace["id"], pipeline(*stages, name=named))
    return str(alice.start(made)["id"])


def test_a_runner_does_what_a_worker_does(alice: User, workspace: dict[str, Any], register: Register) -> None:
    kept = {"name": "API_TOKEN", "value": "a-secret-of-the-shop"}
    alice.post(f"/workspaces/{workspace['id']}/secrets", kept).data(201)
    build = stage(
        "build",
        step("compile", "cat src/shop.py; mkdir dist; echo made > dist/app; echo $API_TOKEN", secrets=["API_TOKEN"]),
        step("test", "echo '<testsuite><testcase name=\"t\"/></testsuite>' > junit.xml"),
        runs_on=["here", "big"],
        artifacts=["dist/app"],
        reports={"junit": "junit.xml"},
        cache=[{"key": "k", "paths": ["dist"]}],
    )
    check = stage("check", "cat dist/app", needs=["build"], runs_on="here")
    elsewhere = stage("on-a-worker", "cat dist/app", needs=["build"])
    execution_id = begin(alice, workspace, build, check, elsewhere)
    alice.wait_for_stage(execution_id, "build", "queued")
    runner = register("first", "here", "big")
    runner.start("--capacity", "2")
    ended = alice.wait_for_end(execution_id, SECONDS)
    assert ended["status"] == "succeeded", runner.said
    assert {one["name"]: one["runner"] for one in ended["stages"]} == {
        "build": "first",
        "check": "first",
        "on-a-worker": None,
    }
    lines = [line["message"] for line in alice.log(execution_id, "build", "compile")["logs"]]
    assert lines[-2:] == ["print('open')", "***"]
    assert [line["message"] for line in alice.log(execution_id, "check", "run")["logs"]][-1] == "made"
    assert alice.get(f"/executions/{execution_id}/tests/summary").data()["passed"] == 1
    assert alice.get(f"/executions/{execution_id}/artifacts/dist/app").body == b"made\n"
    [cache] = alice.get(f"/workspaces/{workspace['id']}/caches").data()
    assert (cache["key"], cache["files"]) == ("k", 1)
    status = runner.deed("status")
    assert (status.returncode, "well" in status.stdout) == (0, True), status.stdout
    left = [path for path in runner.home.rglob("*") if path.is_file() and b"a-secret-of-the-shop" in path.read_bytes()]
    assert left == []
    assert list((runner.home / "work").iterdir()) == []


def test_a_killed_runners_stage_goes_to_another(alice: User, workspace: dict[str, Any], register: Register) -> None:
    first, second = register("first"), register("second")
    first.start()
    execution_id = begin(alice, workspace, counting("probe-of-the-killed", 30))
    alice.wait_for_step(execution_id, "work", "count", 5)
    first.signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: not running_with("probe-of-the-killed"), 20)
    second.start()
    ended = alice.wait_for_end(execution_id, SECONDS)
    assert (ended["status"], ended["stages"][0]["runner"]) == ("succeeded", "second"), second.said
    lines = [line for line in alice.log(execution_id, "work", "count")["logs"] if line["stream"] == "stdout"]
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(1, 31)]
    assert first.deed("status").returncode == 1


def test_a_runner_that_comes_back_takes_its_stage_up_at_once(
    alice: User, workspace: dict[str, Any], register: Register
) -> None:
    runner = register()
    runner.start()
    execution_id = begin(alice, workspace, counting("probe-of-the-returned", 10))
    alice.wait_for_step(execution_id, "work", "count", 2)
    runner.stop()
    runner.start()
    assert alice.wait_for_end(execution_id, SECONDS)["status"] == "succeeded", runner.said


def test_an_api_that_restarts_costs_a_stage_nothing(
    platform: Platform, alice: User, workspace: dict[str, Any], register: Register
) -> None:
    runner = register()
    runner.start()
    execution_id = begin(alice, workspace, counting("probe-of-the-restart", 40))
    alice.wait_for_step(execution_id, "work", "count", 5)
    # A restart may take longer here than the short lease of these tests: nobody is to take the stage for that.
    platform.signal("relay", signal.SIGSTOP)
    platform.restart("web")
    alice.wait_for_step(execution_id, "work", "count", 35)
    platform.signal("relay", signal.SIGCONT)
    ended = alice.wait_for_end(execution_id, SECONDS)
    assert ended["status"] == "succeeded", runner.said
    [step_seen] = ended["stages"][0]["steps"]
    assert step_seen["attempt"] == 1
    lines = [line["message"] for line in alice.log(execution_id, "work", "count", "?limit=1000")["logs"]]
    assert [line for line in lines if line.startswith("line")] == [f"line {n}" for n in range(1, 41)]


def test_a_runner_that_is_told_to_stop_hands_its_stage_back(
    alice: User, workspace: dict[str, Any], register: Register
) -> None:
    first, second = register("first"), register("second")
    first.start("--grace", "0")
    execution_id = begin(alice, workspace, counting("probe-of-the-stopped", 20))
    alice.wait_for_step(execution_id, "work", "count", 3)
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    second.start()
    ended = alice.wait_for_end(execution_id, SECONDS)
    assert (ended["status"], ended["stages"][0]["runner"]) == ("succeeded", "second"), second.said


def test_a_cancel_reaches_a_runner_and_its_processes(
    alice: User, workspace: dict[str, Any], register: Register
) -> None:
    runner = register()
    runner.start()
    execution_id = begin(alice, workspace, counting("probe-of-the-cancelled"))
    alice.wait_for_step(execution_id, "work", "count", 3)
    alice.post(f"/executions/{execution_id}/cancel").data(202)
    assert alice.wait_for_end(execution_id, 30)["status"] == "cancelled"
    wait_for(lambda: not running_with("probe-of-the-cancelled"), 20)
    assert runner.is_running


def test_a_runner_whose_token_was_revoked_stops_its_work_and_ends(
    alice: User, workspace: dict[str, Any], register: Register
) -> None:
    runner = register()
    runner.start()
    execution_id = begin(alice, workspace, counting("probe-of-the-revoked"))
    alice.wait_for_step(execution_id, "work", "count", 3)
    [shown] = alice.get(f"/organizations/{workspace['organization_id']}/runners").data()
    assert alice.send("DELETE", f"/runners/{shown['id']}").status == 204
    assert runner.wait() == REVOKED
    assert not running_with("probe-of-the-revoked")
    alice.post(f"/executions/{execution_id}/cancel").data(202)
    alice.wait_for_end(execution_id, SECONDS)
