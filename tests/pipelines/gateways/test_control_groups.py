"""Control groups, where the machine gives them, and the choice of the sandbox."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.pipelines.gateways.sandbox import Limits, SandboxUnavailable, choose_sandbox
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup, ControlGroups, find_control_groups
from tasks.pipelines.gateways.sandbox.scratch import Scratch, remove_abandoned_scratch
from tests.support.sandboxes import Bench, Marker, control_groups


@pytest.fixture
def groups() -> ControlGroups:
    found = control_groups()
    if found is None:
        pytest.skip("no control groups can be made here")
    return found


@pytest.fixture
def group(groups: ControlGroups) -> Iterator[ControlGroup]:
    made = groups.make()
    yield made
    made.remove()


def test_a_process_in_a_group_is_found_and_killed_with_all_it_started(group: ControlGroup) -> None:
    marker = Marker()
    with subprocess.Popen(["sh", "-c", f"read -r _; (setsid {marker.sleep} &); {marker.sleep}"], stdin=-1) as first:
        group.add(first.pid)
        assert first.stdin is not None
        first.stdin.write(b"\n")
        first.stdin.flush()
        while len(marker.alive()) < 2:
            time.sleep(0.01)
        assert set(marker.alive()) <= set(group.pids())
        group.kill()
        assert first.wait(timeout=2) != 0
    assert marker.wait_until_gone(1)
    assert group.pids() == []


def test_a_group_is_gone_after_its_removal(groups: ControlGroups) -> None:
    group = groups.make()
    assert all(directory.is_dir() for directory in group.directories())
    group.remove()
    assert not any(directory.exists() for directory in group.directories())


def test_limits_reach_the_kernel(group: ControlGroup) -> None:
    group.limit(Limits(seconds=1, cpus=0.5, memory_bytes=64 << 20, processes=7))
    directory = group.paths["pids"]
    assert (directory / "pids.max").read_text() == "7\n"


def test_what_a_killed_worker_left_is_killed_and_removed(groups: ControlGroups) -> None:
    marker = Marker()
    code = (
        "import os, subprocess\n"
        "from tasks.pipelines.gateways.sandbox.cgroups import find_control_groups\n"
        "group = find_control_groups().make()\n"
        f"sleeper = subprocess.Popen('{marker.sleep}'.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "group.add(sleeper.pid)\n"
        "print(*group.directories(), sep='\\n', flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    worker = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd())
    left = [Path(line) for line in worker.stdout.split()]
    assert left, worker.stderr
    assert all(directory.is_dir() for directory in left)
    assert len(marker.alive()) == 1
    find_control_groups()
    assert marker.wait_until_gone(1)
    assert not any(directory.exists() for directory in left)


def test_the_groups_of_workers_that_live_are_left_alone(group: ControlGroup) -> None:
    find_control_groups()
    assert all(directory.is_dir() for directory in group.directories())


def test_the_chosen_sandbox_works_and_says_why_it_was_chosen(tmp_path: Path) -> None:
    sandbox = choose_sandbox("auto")
    assert Bench(sandbox, tmp_path).run("echo x").stdout == b"x\n"
    assert {"sandbox", "why", "limit_memory", "limit_processes", "limit_cpus", "limit_disk"} <= set(sandbox.facts)


def test_it_is_tried_once_and_remembered() -> None:
    assert choose_sandbox("auto") is choose_sandbox("auto")


def test_plain_is_taken_when_asked_for() -> None:
    sandbox = choose_sandbox("plain")
    assert (sandbox.name, sandbox.facts["why"]) == ("plain", "asked for")


def test_plain_is_taken_where_bubblewrap_does_not_work_and_the_reason_is_told(tmp_path: Path) -> None:
    sandbox = choose_sandbox("auto", extra_read_only=[tmp_path / "not there"])
    assert sandbox.name == "plain"
    assert "not there" in sandbox.facts["why"]


def test_bubblewrap_by_name_is_refused_with_the_reason_where_it_does_not_work(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="not there"):
        choose_sandbox("bubblewrap", extra_read_only=[tmp_path / "not there"])


def test_the_files_of_a_killed_worker_are_removed_and_those_of_a_live_one_are_not(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tasks.pipelines.gateways.sandbox.scratch import Scratch\n"
        "print(Scratch.make(Path(sys.argv[1]), 'true').root, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, check=False, cwd=Path.cwd())
    left = Path(answer.stdout.decode().strip())
    ours = Scratch.make(tmp_path, "true")
    assert left.is_dir()
    assert left.parent == tmp_path
    remove_abandoned_scratch(tmp_path)
    assert not left.exists()
    assert ours.script.exists()
