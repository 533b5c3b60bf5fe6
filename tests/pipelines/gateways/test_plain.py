"""Plain processes: what they share with the host, and what root may take from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.pipelines.gateways.sandbox.plain import PlainSandbox
from tests.support.sandboxes import Bench, control_groups


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """One that other users can reach."""
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(0o711)
    place = tmp_path / "workspace"
    place.mkdir()
    return place


def test_a_step_sees_its_workspace_at_its_real_path(workspace: Path) -> None:
    assert Bench(PlainSandbox(None), workspace).run("pwd").stdout.decode().strip() == str(workspace.resolve())


def test_a_step_can_gain_no_privileges(workspace: Path) -> None:
    ran = Bench(PlainSandbox(None), workspace).run("grep NoNewPrivs /proc/self/status")
    assert ran.stdout.split() == [b"NoNewPrivs:", b"1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("grouped", [True, False])
def test_root_may_run_steps_as_another_user(workspace: Path, grouped: bool) -> None:
    (workspace / "given").touch()
    sandbox = PlainSandbox(control_groups() if grouped else None, step_uid=64321)
    ran = Bench(sandbox, workspace).run(f"id -u; rm given; touch made; cat /proc/{os.getpid()}/environ || true")
    assert ran.stdout == b"64321\n"
    assert b"Permission denied" in ran.stderr
    assert (workspace / "made").stat().st_uid == 64321


@pytest.mark.skipif(os.geteuid() != 0, reason="resource limits bind an ordinary user anyway")
def test_a_fork_bomb_of_another_user_is_held_without_control_groups(workspace: Path) -> None:
    bench = Bench(PlainSandbox(None, step_uid=64322), workspace)
    ran = bench.run("bomb() { sleep 60 & bomb | bomb & }; bomb; wait", processes=48, seconds=1.5, grace_seconds=0.3)
    assert ran.seconds < 5
    assert b"fork" in ran.stderr


def test_a_step_that_stops_its_supervisor_is_ended_all_the_same(workspace: Path) -> None:
    ran = Bench(PlainSandbox(None), workspace).run("kill -STOP $PPID; sleep 60", seconds=2, grace_seconds=0.2)
    assert ran.outcome.ended == "timed_out"
    assert ran.seconds < 3
