"""What bubblewrap keeps from a step, and that it cannot be talked round."""

from __future__ import annotations

import os
import platform
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.pipelines.gateways.sandbox.bubblewrap import BubblewrapSandbox
from tasks.pipelines.gateways.sandbox.seccomp import filter_for
from tests.support.sandboxes import Bench, control_groups, make_sandbox


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return Bench(make_sandbox("bubblewrap without groups"), workspace)


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_only_the_system_and_the_workspace_are_visible(bench: Bench) -> None:
    ran = bench.run("cd /; ls -d *")
    system = {"bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr"}
    own = {"dev", "etc", "home", "proc", "run", "tmp", "var", "workspace"}
    assert own <= set(ran.stdout.decode().split()) <= own | system


def test_homes_services_and_other_directories_of_the_host_are_not_visible(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the platform")
    ran = bench.run(f"ls /root /srv /sys /mnt {tmp_path} 2>/dev/null || ls /home /run /var")
    assert ran.stdout == b"/home:\nstep\n\n/run:\nstep\n\n/var:\ntmp\n"


def test_accounts_and_keys_of_the_host_are_not_visible(bench: Bench) -> None:
    ran = bench.run("cut -d: -f1 /etc/passwd; ls /etc/shadow /etc/ssl/private /etc/ssh 2>/dev/null || true")
    assert ran.stdout == b"root\nstep\nnobody\n"


def test_a_step_is_an_ordinary_user_without_capabilities(bench: Bench) -> None:
    ran = bench.run("id -u; id -un; grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status | cut -f2")
    assert ran.stdout.split() == [b"1000", b"step", b"0" * 16, b"0" * 16, b"0" * 16, b"1"]


def test_nothing_but_workspace_home_and_tmp_can_be_written(bench: Bench) -> None:
    ran = bench.run("find / -type d -writable -not -path '/proc/[0-9]*' 2>/dev/null || true")
    writable = {"/workspace", "/home/step", "/tmp", "/run/step", "/dev/shm", "/dev/pts"}  # pts takes no files
    assert set(ran.stdout.decode().split()) == writable


def test_kernel_settings_cannot_be_written_even_when_the_platform_is_root(bench: Bench) -> None:
    ran = bench.run("find /proc -type f -writable -not -path '/proc/[0-9]*' 2>/dev/null || true")
    assert ran.stdout == b""


def test_no_process_of_the_step_holds_a_directory_of_the_host_open(bench: Bench) -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do for f in /proc/[0-9]*/fd/*; do [ ! -d $f ] || readlink $f; done; done"
    for _ in range(5):
        assert bench.run(script).stdout == b""


def test_other_processes_are_not_visible(bench: Bench) -> None:
    ran = bench.run("ls -d /proc/[0-9]* | wc -l")
    assert int(ran.stdout) < 8


def test_no_process_of_the_step_shows_the_workers_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "of-the-worker")
    ran = bench.run("cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert b"of-the-worker" not in ran.stdout
    assert b"HOME=/home/step" in ran.stdout


def test_without_network_the_loopback_of_the_host_is_out_of_reach(bench: Bench, listener: int) -> None:
    ran = bench.run(f"cat /proc/net/dev | tail -n +3 | cut -d: -f1; exec 5<>/dev/tcp/127.0.0.1/{listener}")
    assert ran.stdout.split() == [b"lo"]
    assert ran.outcome.exit_code != 0


def test_with_network_the_hosts_is_shared(bench: Bench, listener: int) -> None:
    ran = bench.run(f"exec 5<>/dev/tcp/127.0.0.1/{listener}; ls /etc/resolv.conf /etc/hosts", network=True)
    assert ran.outcome.exit_code == 0, ran.stderr


def test_a_step_cannot_make_namespaces_of_its_own(bench: Bench) -> None:
    assert bench.run("unshare --user true").outcome.exit_code != 0


def test_names_of_the_host_are_hidden(bench: Bench) -> None:
    assert bench.run("uname -n").stdout == b"step\n"


def test_links_that_leave_the_workspace_lead_nowhere(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the platform")
    (bench.workspace / "link").symlink_to(tmp_path / "secret")
    assert bench.run("cat link").outcome.exit_code == 1


def test_a_step_that_tampers_with_its_own_record_harms_only_itself(bench: Bench) -> None:
    ran = bench.run("rm -rf /run/step/*; mkdir /run/step/status; echo fine; exit 4")
    assert (ran.outcome.exit_code, ran.stdout) == (4, b"fine\n")
    assert ran.seconds < 3


def test_extra_directories_are_shown_read_only_and_their_programs_found(tmp_path: Path) -> None:
    make_sandbox("bubblewrap without groups")
    program = tmp_path / "prefix/bin/greet"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    sandbox = BubblewrapSandbox(control_groups(), extra_read_only=[tmp_path / "prefix"])
    (tmp_path / "workspace").mkdir()
    ran = Bench(sandbox, tmp_path / "workspace").run(f"greet; touch {program.parent}/x")
    assert ran.stdout == b"hello\n"
    assert b"Read-only" in ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_root_may_run_steps_as_another_user(tmp_path: Path) -> None:
    make_sandbox("bubblewrap without groups")
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o711)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "given").touch()
    ran = Bench(BubblewrapSandbox(None, step_uid=64321), workspace).run("id -u; rm given; touch made")
    assert ran.outcome.exit_code == 0, ran.stderr
    assert (workspace / "made").stat().st_uid == 64321


CALLS = """python3 -c '
import ctypes, errno, os
call = ctypes.CDLL(None, use_errno=True).syscall
for number in (250, 425, 321, 323, 304, 0x40000000 + 39):
    assert call(number, 0, 0, 0, 0, 0) == -1 and ctypes.get_errno() == errno.ENOSYS, number
print(os.getpid() == call(39))
'"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are of x86_64")
def test_keyrings_and_other_wide_doors_of_the_kernel_are_shut(bench: Bench) -> None:
    ran = bench.run(CALLS)
    assert ran.stdout == b"True\n", ran.stderr
    assert bench.run("grep -c '^Seccomp:.2' /proc/self/status").stdout == b"1\n"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_a_whole_program_that_jumps_only_forward_and_inside(machine: str) -> None:
    program = filter_for(machine)
    assert program is not None
    steps = list(struct.iter_unpack("=HBBI", program))
    assert steps[-1][0] == 0x06
    for place, (code, then, otherwise, _) in enumerate(steps):
        if code in (0x15, 0x35):
            assert place + 1 + max(then, otherwise) < len(steps)


def test_a_machine_without_known_numbers_gets_no_filter() -> None:
    assert filter_for("riscv64") is None
