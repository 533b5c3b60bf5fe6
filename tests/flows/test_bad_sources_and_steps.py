"""Repositories that cannot be used and steps that misbehave: each ends by its name, and the platform stays up."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.callers import Caller, User
from tests.support.git_server import GitServer, serving
from tests.support.pipelines import pipeline, stage, step
from tests.support.platform import Platform, running_with, wait_for
from tests.support.repositories import Repository

FLOOD = 1_000_000
LONGEST_LINE = 16 * 1024

_numbers = count(1)


def end_of(alice: User, repository_url: str, **start: Any) -> dict[str, Any]:
    workspace = alice.make_workspace(f"Source {next(_numbers)}", repository_url)
    started = alice.start(alice.make_pipeline(workspace, pipeline(stage("a"), stage("b", needs=["a"]))), **start)
    return alice.wait_for_end(started["id"])


def assert_never_began(alice: User, execution: dict[str, Any], code: str) -> None:
    assert (execution["status"], execution["error"]["code"]) == ("failed", code)
    assert {one["status"] for one in execution["stages"]} == {"skipped"}
    assert {one["attempt"] for one in execution["stages"]} == {0}
    job = alice.get(f"/jobs/{execution['job_id']}").data()
    assert (job["status"], job["error"]) == ("failed", execution["error"])
    page = alice.log(execution["id"], "a", "run")
    assert (page["logs"], page["has_more"], page["status"]) == ([], False, "skipped")
    assert [event.type for event in alice.stream(f"/executions/{execution['id']}/logs/a/run?follow=true")] == ["end"]


def test_a_repository_that_is_not_there(alice: User) -> None:
    assert_never_began(alice, end_of(alice, "file:///no/such/repository"), "REPOSITORY_NOT_FOUND")


def test_a_repository_without_the_branch(alice: User, repository: Repository) -> None:
    assert_never_began(alice, end_of(alice, repository.url, branch="no/such"), "BRANCH_NOT_FOUND")


def test_a_repository_without_the_commit(alice: User, repository: Repository) -> None:
    execution = end_of(alice, repository.url, commit_sha="0" * 40)
    assert (execution["status"], execution["error"]["code"]) == ("failed", "COMMIT_NOT_FOUND")
    assert [one["status"] for one in execution["stages"]] == ["failed", "skipped"]


def test_a_repository_that_needs_a_password(alice: User, repository: Repository) -> None:
    with serving(GitServer(repository.path.parent, login=("bob", "horse-staple"))) as server:
        execution = end_of(alice, server.url(repository.name))
        assert_never_began(alice, execution, "REPOSITORY_ACCESS_DENIED")
        assert "horse-staple" not in str(execution)
        server.login = None
        assert end_of(alice, server.url(repository.name))["status"] == "succeeded"


@dataclass
class Misbehaved:
    """An execution of steps that do what they should not."""

    user: User
    execution: dict[str, Any]
    probe: str
    health: set[int]

    def step(self, name: str) -> dict[str, Any]:
        (stage,) = self.execution["stages"]
        return next(one for one in stage["steps"] if one["name"] == name)

    def lines(self, name: str, query: str = "") -> list[str]:
        page = self.user.log(self.execution["id"], "bad", name, query)
        return [line["message"] for line in page["logs"] if line["stream"] != "system"]


STEPS = {
    "floods": (f"seq {FLOOD}", {}),
    "prints binary": (r"head -c 300000 /dev/urandom; printf '\n\0end\n'", {}),
    "never ends its line": ("head -c 100000 /dev/zero | tr '\\0' x", {}),
    "forks endlessly": (":(){ :|:& };: ; sleep 30", {"timeout": 2}),
    "ignores SIGTERM": ("trap '' TERM; echo deaf; while :; do sleep 1; done", {"timeout": 1}),
    "outlives its timeout": ("echo slow; sleep 60", {"timeout": 1}),
    "takes all memory": ("x=$(head -c 300000000 /dev/zero | tr '\\0' x); sleep 20", {"limits": {"memory": "64Mi"}}),
    "leaves processes": (
        "bash -c 'exec -a PROBE sleep 300' & setsid bash -c 'exec -a PROBE sleep 300' >/dev/null 2>&1 &",
        {},
    ),
    "kills itself": ("kill -9 $$", {}),
    "kills all": ("kill -9 -1", {}),
    "closes its output": ("exec >&- 2>&-; sleep 0.2", {}),
    "fills the disk": ("head -c 200000000 /dev/zero > big; echo written; sleep 20", {}),
    "is gone": ("rm -rf -- .* * 2>/dev/null || true; echo gone", {}),
}


@pytest.fixture(scope="module")
def misbehaved(_platform: Platform, repository: Repository) -> Misbehaved:
    alice = User.registered(_platform.base, "misbehaver")
    probe = f"probe-{os.getpid()}-bad"
    steps = [
        step(name, script.replace("PROBE", probe), continue_on_error=True, **fields)
        for name, (script, fields) in STEPS.items()
    ]
    workspace = alice.make_workspace("Misbehave", repository.url)
    started = alice.start(alice.make_pipeline(workspace, pipeline(stage("bad", *steps))))
    health: set[int] = set()
    deadline = time.monotonic() + 100
    while alice.execution(started["id"])["status"] in ("queued", "running"):
        health.add(Caller(_platform.base).get("/executions").status)
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return Misbehaved(alice, alice.execution(started["id"]), probe, health)


def test_the_platform_stays_up_and_the_stage_goes_on(misbehaved: Misbehaved, platform: Platform) -> None:
    assert misbehaved.health == {401}
    assert misbehaved.execution["status"] == "succeeded"
    assert misbehaved.execution["stages"][0]["attempt"] == 1
    assert {one["attempt"] for one in misbehaved.execution["stages"][0]["steps"]} == {1}


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("floods", "succeeded", None),
        ("prints binary", "succeeded", None),
        ("never ends its line", "succeeded", None),
        ("forks endlessly", "timed_out", "Stopped at its timeout, after "),
        ("ignores SIGTERM", "timed_out", "Stopped at its timeout, after "),
        ("outlives its timeout", "timed_out", "Stopped at its timeout, after 1 s of 1 s."),
        ("fills the disk", "failed", "Stopped: it filled the disk it may use."),
        ("takes all memory", "failed", "Killed: it took more memory than its limit."),
        ("leaves processes", "succeeded", None),
        ("kills itself", "failed", "Killed by signal SIGKILL."),
        ("kills all", "failed", "Exited with code 1."),
        ("closes its output", "succeeded", None),
        ("is gone", "succeeded", None),
    ],
)
def test_each_ends_by_its_name(misbehaved: Misbehaved, name: str, status: str, reason: str | None) -> None:
    found = misbehaved.step(name)
    assert (found["status"], (found["reason"] or "")[: len(reason or "")]) == (status, reason or "")


def test_a_flood_is_kept_whole(misbehaved: Misbehaved) -> None:
    path = f"/executions/{misbehaved.execution['id']}/logs/bad/floods"
    text = misbehaved.user.get(path, Accept="text/plain").body.decode()
    assert text.endswith(f"\n{FLOOD}\n")
    assert [int(line) for line in text.splitlines() if line.isdigit()] == list(range(1, FLOOD + 1))
    assert misbehaved.lines("floods", "?tail=3") == [str(FLOOD - 2), str(FLOOD - 1), str(FLOOD)]
    middle = misbehaved.user.log(misbehaved.execution["id"], "bad", "floods", f"?after_seq={FLOOD // 2}&limit=2")
    assert [line["seq"] for line in middle["logs"]] == [FLOOD // 2 + 1, FLOOD // 2 + 2]
    assert middle["has_more"]


def test_binary_is_made_readable(misbehaved: Misbehaved) -> None:
    path = f"/executions/{misbehaved.execution['id']}/logs/bad/prints%20binary"
    text = misbehaved.user.get(path, Accept="text/plain").body.decode()
    assert "\0" not in text
    assert text.endswith("\N{SYMBOL FOR NULL}end\n")


def test_a_line_that_never_ends_is_split(misbehaved: Misbehaved) -> None:
    lines = misbehaved.lines("never ends its line")
    assert "".join(lines) == "x" * 100_000
    assert {len(line) for line in lines[:-1]} == {LONGEST_LINE}


def test_nothing_of_any_step_is_left(misbehaved: Misbehaved, platform: Platform) -> None:
    wait_for(lambda: not running_with(misbehaved.probe), 5)
    folder = Path(platform.work_dir) / misbehaved.execution["id"]
    wait_for(lambda: not folder.exists(), 5)
