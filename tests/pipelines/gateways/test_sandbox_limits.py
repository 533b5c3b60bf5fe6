"""Limits hold in every sandbox, and the outcome says which one was reached."""

from __future__ import annotations

import os

import pytest

from tasks.pipelines.gateways.sandbox import remove_tree
from tests.support.sandboxes import Bench, Marker

MEBIBYTE = 1 << 20


def has_groups(bench: Bench) -> bool:
    return bench.run("true").outcome.sandbox.endswith(("cgroup1", "cgroup2"))


def holds_processes(bench: Bench) -> bool:
    """Resource limits do not bind root."""
    return has_groups(bench) or os.geteuid() != 0


def test_a_memory_hog_is_ended_as_out_of_memory(bench: Bench) -> None:
    script = "exec python3 -c 'import time\nx = []\nwhile 1: x.append(b\"1\" * (4 << 20)); time.sleep(.005)'"
    ran = bench.run(script, memory_bytes=128 * MEBIBYTE)
    assert ran.outcome.ended == "out_of_memory"
    assert ran.seconds < 10


def test_a_hog_behind_a_shell_that_forgives_is_ended_all_the_same(bench: Bench) -> None:
    script = "python3 -c 'import time\nx = []\nwhile 1: x.append(b\"1\" * (4 << 20)); time.sleep(.005)' || sleep 30"
    ran = bench.run(script, memory_bytes=128 * MEBIBYTE)
    assert ran.outcome.ended == "out_of_memory"
    assert ran.seconds < 10


def test_memory_within_the_limit_is_allowed(bench: Bench) -> None:
    ran = bench.run("python3 -c 'x = b\"1\" * (40 << 20); print(len(x))'", memory_bytes=128 * MEBIBYTE)
    assert ran.outcome.exit_code == 0, ran.stderr


def test_a_fork_bomb_stays_within_its_processes_and_ends(bench: Bench) -> None:
    if not holds_processes(bench):
        pytest.skip("nothing limits the processes of root without control groups")
    marker = Marker()
    script = f"bomb() {{ {marker.sleep} & bomb | bomb & }}; bomb; wait"
    ran = bench.run(script, processes=48, seconds=1.5, grace_seconds=0.3)
    assert ran.outcome.ended in ("timed_out", "exited")
    assert ran.seconds < 5 + bench.overhead
    assert marker.wait_until_gone(1)


def test_a_crowd_of_processes_within_the_limit_is_allowed(bench: Bench) -> None:
    ran = bench.run("for i in 1 2 3 4 5 6 7 8; do sleep 0.1 & done; wait; echo all", processes=48)
    assert ran.stdout == b"all\n"


def test_a_file_over_the_limit_cannot_be_written(bench: Bench) -> None:
    ran = bench.run("head -c 5000000 /dev/zero > big", file_bytes=MEBIBYTE)
    assert ran.outcome.ended == "disk_full"
    assert (bench.workspace / "big").stat().st_size <= MEBIBYTE


def test_a_step_that_fills_its_disk_with_many_files_is_ended(bench: Bench) -> None:
    script = "i=0; while :; do i=$((i+1)); head -c 2000000 /dev/zero > f$i; sleep 0.02; done"
    ran = bench.run(script, disk_bytes=20 * MEBIBYTE)
    assert ran.outcome.ended == "disk_full"
    assert sum(file.stat().st_size for file in bench.workspace.iterdir()) < 400 * MEBIBYTE


def test_tmp_counts_with_the_workspace(bench: Bench) -> None:
    script = 'i=0; while :; do i=$((i+1)); head -c 2000000 /dev/zero > "$TMPDIR/f$i"; sleep 0.02; done'
    assert bench.run(script, disk_bytes=20 * MEBIBYTE).outcome.ended == "disk_full"


def test_files_without_a_name_count_as_long_as_they_are_open(bench: Bench) -> None:
    if bench.fake:
        pytest.skip("the engine of the tests does not tell which processes are the step's")
    script = """exec python3 -c '
import os, time
held = []
while True:
    file = open("hidden", "wb"); os.unlink("hidden"); file.write(b"1" * 2_000_000); file.flush(); held.append(file)
    time.sleep(.02)
'"""
    ran = bench.run(script, disk_bytes=20 * MEBIBYTE)
    assert ran.outcome.ended == "disk_full"


def test_a_step_within_its_disk_is_left_alone(bench: Bench) -> None:
    ran = bench.run("head -c 3000000 /dev/zero > f; sleep 1.2; echo fine", disk_bytes=20 * MEBIBYTE)
    assert ran.stdout == b"fine\n"


def test_nesting_deeper_than_any_path_can_be_measured_and_removed(bench: Bench) -> None:
    script = """python3 -c '
import os
for _ in range(1200):
    os.mkdir("deep-deep-deep"); os.chdir("deep-deep-deep")
open("bottom", "wb").write(b"1" * 3_000_000)
'; sleep 1"""
    ran = bench.run(script, disk_bytes=20 * MEBIBYTE)
    assert ran.outcome.exit_code == 0, ran.stderr
    remove_tree(bench.workspace)
    assert not bench.workspace.exists()


def test_locked_directories_can_be_removed_and_links_out_are_not_followed(bench: Bench, tmp_path: object) -> None:
    outside = bench.workspace.parent / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep")
    os.symlink(outside, bench.workspace / "link")
    bench.run("mkdir -p a/b && touch a/b/c && chmod 000 a/b a")
    remove_tree(bench.workspace)
    assert not bench.workspace.exists()
    assert (outside / "precious").read_text() == "keep"


def test_processor_time_is_limited(bench: Bench) -> None:
    spin = "timeout 0.8 sh -c 'while :; do :; done' & timeout 0.8 sh -c 'while :; do :; done' & wait"
    ran = bench.run(spin, cpus=0.25 if has_groups(bench) else 1)
    most = 0.25 * 1.5 if has_groups(bench) else 1.2
    assert (ran.outcome.cpu_seconds or 0) < most * ran.outcome.duration_seconds + 0.1


def test_no_core_files_are_written(bench: Bench) -> None:
    assert bench.run("ulimit -c").stdout == b"0\n"
