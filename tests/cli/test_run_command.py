"""`headrace run` in real repositories, with real steps."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.__main__ import main
from cli.local.screen import Screen
from tests.cli.conftest import in_repository

ROOT = Path(__file__).resolve().parents[2]
Said = pytest.CaptureFixture[str]


def test_stages_run_in_order_and_pass_files(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(
        tmp_path,
        """
        stages:
          - name: build
            matrix: {size: [small, large]}
            artifacts: [out]
            steps: [{name: make, run: 'mkdir out && echo "$MATRIX_SIZE of $BRANCH" > out/$MATRIX_SIZE'}]
          - name: check
            steps: [{name: look, run: "cat out/large out/small"}]
        """,
    )
    assert main(["run", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "check / look | large of main\ncheck / look | small of main\n" in said
    assert re.search(r"build \(small\) +succeeded +\d+\.\d s", said)
    assert "\x1b" not in said
    assert not (folder / "out").exists()


def test_the_work_tree_is_run_as_it_is_less_what_git_ignores(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: 'ls; cat new; git status --short'}]}]")
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "ignored").write_text("x")
    (folder / "new").write_text("not committed\n")
    assert main(["run", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "a / b | not committed\n" in said
    assert "a / b | ?? new\n" in said
    assert "a / b | ignored" not in said


def test_a_commit_is_checked_out_clean(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: 'test ! -e new; echo clean'}]}]")
    (folder / "new").write_text("x")
    assert main(["run", str(folder), "--commit", "HEAD"]) == 0
    assert "a / b | clean\n" in capsys.readouterr().out


def test_a_failure_ends_with_1_and_skips_what_depends_on_it(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(
        tmp_path,
        """
        stages:
          - {name: first, steps: [{name: bad, run: exit 3, retry_count: 1}, {name: next, run: echo never}]}
          - {name: second, steps: [{name: x, run: echo never}]}
          - {name: tidy, when: always, steps: [{name: x, run: echo tidied}]}
        """,
    )
    assert main(["run", str(folder)]) == 1
    said = capsys.readouterr().out
    assert said.count("first / bad | Exited with code 3.") == 2
    assert "echo never" not in said
    assert "tidy / x | tidied\n" in said
    assert re.search(r"second +skipped +A stage before it failed\.", said)


def test_secrets_come_by_name_and_are_masked(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "topsecret1")
    file = tmp_path / "secrets"
    file.write_text("# mine\nOTHER=another=secret\n")
    run = 'echo "$API_TOKEN and $OTHER"; echo "${HOME_TOKEN:-none}"'
    folder = in_repository(
        tmp_path, f"stages: [{{name: a, steps: [{{name: b, secrets: [API_TOKEN, OTHER], run: '{run}'}}]}}]"
    )
    assert main(["run", str(folder), "--secret", "API_TOKEN", "--secrets", str(file)]) == 0
    assert "a / b | *** and ***\na / b | none\n" in capsys.readouterr().out
    assert main(["run", str(folder)]) == 1
    assert "Give its secrets by --secret NAME" in capsys.readouterr().out
    assert main(["run", str(folder), "--secret", "API_TOKEN=topsecret1"]) == 2
    assert "topsecret1" not in capsys.readouterr().err


def test_tools_outside_of_the_system_are_seen_when_they_are_named(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "greet").write_text("#!/bin/sh\necho hello\n")
    (tools / "greet").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: greet}]}]")
    assert main(["run", str(folder), "--see", str(tools)]) == 0
    assert "a / b | hello\n" in capsys.readouterr().out


def test_a_step_with_an_image_is_not_run_outside_of_it(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, image: alpine, steps: [{name: b, run: echo here}]}]")
    assert main(["run", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "It needs a container of alpine; a local run has none." in said
    assert "| here" not in said


def test_variables_and_the_event_are_those_that_are_given(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(
        tmp_path,
        """
        environment: {LEVEL: info}
        stages:
          - {name: a, condition: CI_EVENT == 'git_push', steps: [{name: b, run: 'echo "$LEVEL $CI_EVENT"'}]}
        """,
    )
    assert main(["run", str(folder), "--event", "git_push", "--variable", "LEVEL=debug"]) == 0
    assert "a / b | debug git_push\n" in capsys.readouterr().out
    assert main(["run", str(folder), "--variable", "LD_PRELOAD=x"]) == 0
    assert re.search(r"a +skipped +Its condition does not hold\.", capsys.readouterr().out)


def test_what_asks_or_deploys_runs_only_when_it_is_named(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(
        tmp_path,
        """
        stages:
          - {name: build, steps: [{name: x, run: echo built}]}
          - {name: ship, approval: {}, steps: [{name: x, run: echo shipped}]}
          - {name: live, depends_on: [build], deploys_to: production, steps: [{name: x, run: echo live}]}
        """,
    )
    assert main(["run", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "| shipped" not in said
    assert "| live" not in said
    assert main(["run", str(folder), "--stage", "ship"]) == 0
    said = capsys.readouterr().out
    assert "| built" in said
    assert "| shipped" in said
    assert "live" not in said


def test_a_definition_that_is_not_valid_is_told_with_its_place(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, step: []}]")
    assert main(["run", str(folder)]) == 2
    assert "line 1, column" in capsys.readouterr().err


def test_stages_and_steps_are_listed_and_not_run(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: echo no, condition: TAG}]}]")
    assert main(["run", str(folder), "--list"]) == 0
    assert capsys.readouterr().out == "a\n  b if TAG\n"


def test_an_interrupt_leaves_no_process_behind(tmp_path: Path) -> None:
    seconds = f"61.{os.getpid()}"
    script = f"(sleep {seconds} &) ; echo started; sleep {seconds}"
    folder = in_repository(tmp_path, f"stages: [{{name: a, steps: [{{name: b, run: '{script}'}}]}}]")
    with subprocess.Popen([ROOT / "headrace", "run"], cwd=folder, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if line == "a / b | started\n":
                break
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 130
    deadline = time.monotonic() + 10
    while _sleepers(seconds) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _sleepers(seconds) == []


def _sleepers(seconds: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if seconds.encode() in words:
            found.append(str(process))
    return found


def test_every_option_is_in_the_docs(capsys: Said) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    documented = set(re.findall(r"^\| `(--[a-z]+)", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE))
    assert options == documented


def test_colours_are_for_terminals(capsys: Said) -> None:
    Screen(sys.stdout, colours=True).lines("a", "b", "text")
    assert capsys.readouterr().out == "\x1b[36ma / b |\x1b[0m text\x1b[0m\n"


def test_a_definition_outside_of_the_repository_is_refused(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: 'true'}]}]")
    (folder / "evil.yml").symlink_to("/etc/passwd")
    assert main(["run", str(folder / "evil.yml")]) == 2
    assert "evil.yml leads out of the repository" in capsys.readouterr().err


def test_what_keeps_a_run_from_beginning_is_told(tmp_path: Path, capsys: Said) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: 'true'}]}]")
    assert main(["run", str(folder), "--commit", "nowhere"]) == 2
    assert "has no commit nowhere" in capsys.readouterr().err
    (folder / ".gitignore").write_text("*.yml")
    (folder / "other.yml").write_text("stages: []")
    assert main(["run", str(folder / "other.yml")]) == 2
    assert "git ignores it" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_run(tmp_path: Path) -> None:
    steps = ", ".join(f"{{name: s{number}, run: 'true'}}" for number in range(9))
    folder = in_repository(tmp_path, f"stages: [{{name: a, steps: [{steps}]}}]")
    command = [ROOT / "headrace", "run", folder, "--list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 141


def test_a_hook_of_git_runs_the_pipeline_without_harm_to_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = in_repository(tmp_path, "stages: [{name: a, steps: [{name: b, run: 'git status --short > seen'}]}]")
    (folder / "new").write_text("staged\n")
    subprocess.run(["git", "-C", folder, "add", "new"], check=True)
    before = (folder / ".git/index").read_bytes()
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(folder / ".git"))
        hook.setenv("GIT_INDEX_FILE", str(folder / ".git/index"))
        assert main(["run", str(folder)]) == 0
    assert (folder / ".git/index").read_bytes() == before
