"""What a step gets and gives in every sandbox, and how its end is told."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.pipelines.gateways.sandbox import EnvironmentRefused, WorkingDirectoryRefused
from tests.support.sandboxes import Bench


def test_a_step_runs_and_its_output_is_kept_apart(bench: Bench) -> None:
    ran = bench.run("echo to out; echo to err >&2")
    assert ran.stdout == b"to out\n"
    assert ran.stderr == b"to err\n"
    assert (ran.outcome.ended, ran.outcome.exit_code, ran.outcome.signal) == ("exited", 0, None)
    assert ran.outcome.sandbox.startswith(bench.sandbox.name + "+")


def test_the_exit_code_is_the_scripts(bench: Bench) -> None:
    assert bench.run("exit 7").outcome.exit_code == 7


def test_the_script_stops_at_the_first_failure(bench: Bench) -> None:
    ran = bench.run("false\necho not reached")
    assert ran.outcome.exit_code == 1
    assert ran.stdout == b""


def test_a_failure_inside_a_pipe_is_a_failure(bench: Bench) -> None:
    assert bench.run("false | true").outcome.exit_code == 1


def test_a_death_by_signal_is_told_by_its_number(bench: Bench) -> None:
    ran = bench.run("kill -SEGV $$")
    assert (ran.outcome.ended, ran.outcome.signal, ran.outcome.exit_code) == ("signalled", 11, 139)


def test_an_exit_code_that_only_resembles_a_signal_stays_one(bench: Bench) -> None:
    assert bench.run("exit 129").outcome.ended == "exited"


def test_a_step_works_in_its_workspace_and_what_it_writes_stays(bench: Bench) -> None:
    (bench.workspace / "given").write_text("from the checkout")
    ran = bench.run("pwd; cat given; echo made > kept")
    seen = str(bench.sandbox.workspace_path(bench.workspace))
    assert ran.stdout == f"{seen}\nfrom the checkout".encode()
    assert (bench.workspace / "kept").read_text() == "made\n"


def test_a_step_starts_in_its_working_directory(bench: Bench) -> None:
    (bench.workspace / "a/b").mkdir(parents=True)
    ran = bench.run("pwd", working_directory="a/b")
    assert ran.stdout.decode().strip() == str(bench.sandbox.workspace_path(bench.workspace) / "a/b")


@pytest.mark.parametrize("directory", ["..", "../..", "/", "/etc", "out", "out/inside", "missing", "a\0b", "file"])
def test_a_working_directory_outside_the_workspace_is_refused(bench: Bench, tmp_path: Path, directory: str) -> None:
    (tmp_path / "elsewhere/inside").mkdir(parents=True)
    (bench.workspace / "out").symlink_to(tmp_path / "elsewhere")
    (bench.workspace / "file").touch()
    with pytest.raises(WorkingDirectoryRefused):
        bench.run("pwd", working_directory=directory)


def test_a_step_gets_its_environment_and_nothing_of_the_workers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:very-secret@db/x")
    ran = bench.run("env", environment={"GREETING": "hello world  ", "LD_SDK_KEY": "k", "LD_LIBRARY_PATH": "/x"})
    given = dict(line.split("=", 1) for line in ran.stdout.decode().splitlines())
    assert given.pop("GREETING") == "hello world  "
    assert given["LD_LIBRARY_PATH"] == "/x"
    of_engines = {"HOSTNAME", "TERM", "container"} if bench.image else set()
    assert set(given) - {"PWD", "SHLVL", "_", "LC_CTYPE"} - of_engines == {
        "PATH",
        "HOME",
        "TMPDIR",
        "LD_SDK_KEY",
        "LD_LIBRARY_PATH",
    }


def test_the_environment_may_replace_the_defaults(bench: Bench) -> None:
    ran = bench.run('echo "$HOME $PATH"', environment={"HOME": "/nowhere", "PATH": "/usr/bin:/bin"})
    assert ran.stdout == b"/nowhere /usr/bin:/bin\n"


@pytest.mark.parametrize(("name", "value"), [("A=B", "x"), ("", "x"), ("A B", "x"), ("A", "x\0y"), ("A", "\ud800")])
def test_an_environment_that_no_process_can_have_is_refused(bench: Bench, name: str, value: str) -> None:
    with pytest.raises(EnvironmentRefused):
        bench.run("true", environment={name: value})


def test_secrets_and_scripts_never_stand_in_a_command_line(bench: Bench) -> None:
    seen: list[bytes] = []

    def look_around(*_: object) -> None:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                seen.append(Path(f"/proc/{pid}/cmdline").read_bytes())
            except OSError:
                continue

    bench.on_output = look_around
    bench.run('echo now; : scr1pt-text; sleep 0.2; echo "$TOKEN"', environment={"TOKEN": "s3cret-value"})
    assert any(b"pipefail" in line or b"-e\0" in line for line in seen)
    assert not any(b"s3cret-value" in line or b"scr1pt-text" in line for line in seen)


def test_home_and_tmp_are_there_private_and_gone_afterwards(bench: Bench) -> None:
    ran = bench.run('touch "$HOME/h" "$TMPDIR/t" && mktemp && stat -c %a "$HOME" "$TMPDIR"; echo "$HOME"')
    assert ran.outcome.exit_code == 0, ran.stderr
    assert ran.stdout.splitlines()[1:3] == [b"700", b"700"]
    assert not Path(ran.stdout.decode().splitlines()[-1]).exists()
    assert bench.run('ls -A "$HOME" "$TMPDIR" | grep -c "^[ht]$" || true').stdout == b"0\n"


def test_standard_input_is_empty(bench: Bench) -> None:
    assert bench.run("cat; echo end").stdout == b"end\n"


def test_a_script_longer_than_a_command_line_may_be_runs(bench: Bench) -> None:
    ran = bench.run("x='" + "a" * 300_000 + "'\necho ${#x}")
    assert ran.stdout == b"300000\n"


def test_a_script_ending_in_a_here_document_and_odd_bytes_runs_as_it_stands(bench: Bench) -> None:
    assert bench.run("cat <<'END'\n$HOME `x` \\ ü \ud800\nEND").stdout.startswith(b"$HOME `x` \\ \xc3\xbc")


def test_what_still_writes_when_the_script_has_ended_is_heard(bench: Bench) -> None:
    ran = bench.run("exec > >(sleep 0.2; cat)\necho last words")
    assert ran.stdout == b"last words\n"
    assert ran.seconds < 1.5 + bench.overhead


def test_binary_output_arrives_unchanged(bench: Bench) -> None:
    everything = bytes(range(256)) * 4096
    (bench.workspace / "data").write_bytes(everything)
    assert bench.run("cat data").stdout == everything


def test_a_million_lines_arrive_whole(bench: Bench) -> None:
    ran = bench.run("seq 1000000")
    assert ran.stdout.count(b"\n") == 1_000_000
    assert ran.stdout.endswith(b"\n999999\n1000000\n")


def test_duration_memory_and_processor_time_are_measured(bench: Bench) -> None:
    ran = bench.run("python3 -c 'import time; x = b\"1\" * (80 << 20); time.sleep(.4); sum(range(2_000_000))'")
    assert ran.outcome.exit_code == 0, ran.stderr
    assert 0.4 <= ran.outcome.duration_seconds <= ran.seconds
    assert 80 << 20 <= (ran.outcome.peak_memory_bytes or 0) < 300 << 20
    assert bench.fake or 0.01 <= (ran.outcome.cpu_seconds or 0) <= ran.seconds


def test_a_fault_of_the_listener_ends_the_step_and_is_passed_on(bench: Bench) -> None:
    def fail(*_: object) -> None:
        raise LookupError("the store is away")

    bench.on_output = fail
    with pytest.raises(LookupError):
        bench.run("echo x; sleep 30")


def test_nothing_is_left_open_or_lying_about(bench: Bench, tmp_path: Path) -> None:
    def run() -> None:
        bench.run("mkdir -p deep/er; echo x; exit 3", environment={"A": "b"}, memory_bytes=1 << 30, disk_bytes=1 << 30)

    run()
    before, there = _settled(bench), _step_directories()
    run()
    # Less is no fault: what other tests have left is collected meanwhile.
    assert _settled(bench) <= before
    assert _step_directories() <= there


def _settled(bench: Bench) -> Any:
    """The descriptors that are open, or how many: a cluster in this process closes its own a moment later."""
    if not bench.afar:
        return set(os.listdir("/proc/self/fd"))
    counts = [0]
    while len(counts) < 200 and (len(counts) < 20 or len(set(counts[-20:])) > 1):
        time.sleep(0.05)
        counts.append(len(os.listdir("/proc/self/fd")))
    return counts[-1]


def _step_directories() -> set[str]:
    own = f"headrace-step-{os.getpid()}-"  # others may run steps beside us
    return {name for name in os.listdir("/tmp") if name.startswith(own)}


def test_the_workspace_may_be_left_in_any_mode(bench: Bench) -> None:
    ran = bench.run("mkdir locked && touch locked/x && chmod 000 locked; chmod 000 $HOME $TMPDIR")
    assert ran.outcome.exit_code == 0
    if bench.afar:
        # Who brings it back is its owner, and must read it.
        assert (bench.workspace / "locked/x").exists()
        return
    assert stat.S_IMODE((bench.workspace / "locked").stat().st_mode) == 0
