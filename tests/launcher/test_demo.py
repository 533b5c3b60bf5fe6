"""The demo against the whole platform, started as `make demo` and `make up DETACH=1` start it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.home import Home, Run
from launcher.processes import Birth
from launcher.procfile import read_procfile

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COUNTING = "for i in $(seq 1 20); do echo count $i; sleep 0.1; done"
PIPELINE = """
name: shop
stages:
  - name: build
    steps:
      - {name: count, run: "%s"}
      - {name: keep, run: "echo kept > kept.txt"}
    artifacts: [kept.txt]
  - name: after
    depends_on: [build]
    steps:
      - {name: end, run: "%s"}
"""


def make_repository(folder: Path, last_step: str) -> Path:
    folder.mkdir()
    (folder / "headrace.yml").write_text(PIPELINE % (COUNTING, last_step))
    identity = ["-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message=first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def launch(home: Home, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "launcher", "--home", str(home.folder), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("a place") / "home")
    started = launch(home, "up", "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    yield home
    launch(home, "down")


def processes(home: Home) -> dict[str, int]:
    run: Run = json.loads(home.run_file.read_text())
    return run["processes"]


def chunks(home: Home) -> int:
    """Count what has been kept of steps' logs."""
    return sum(1 for path in (home.data / "logs").rglob("*") if path.is_file())


def counted(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"build / count \| count (\d+)", output)]


def test_a_pipeline_is_run_and_followed_to_its_good_end(home: Home, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "a shop", "true")
    done = launch(home, "demo", "--once", "--repository", str(repository))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^HTTP/1\.1 202 ", done.stdout, re.MULTILINE)
    assert re.search(r"^Location: /api/v1/jobs/[0-9a-f-]{36}$", done.stdout, re.MULTILINE)
    assert counted(done.stdout) == list(range(1, 21))
    assert re.search(r"build +│ count +│ succeeded +│ \d+\.\d s", done.stdout)
    assert re.search(r"kept\.txt +│ 5 bytes", done.stdout)
    assert "The execution succeeded" in done.stdout


def test_a_pipeline_that_fails_gives_a_failing_exit_code(home: Home, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", "exit 3")
    done = launch(home, "demo", "--once", "--repository", str(repository))
    assert done.returncode == 1
    assert "after / end failed with exit code 3" in done.stdout
    assert "The execution failed: " in done.stdout


def test_the_log_has_no_hole_and_no_double_when_the_stream_process_dies(home: Home, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", "true")
    victim = Birth.of(processes(home)["stream"])
    assert victim

    def kill_in_the_middle() -> None:
        deadline = time.monotonic() + 60
        before = chunks(home)
        while chunks(home) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        os.kill(victim.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    done = launch(home, "demo", "--once", "--repository", str(repository))
    killer.join()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not victim.is_alive()
    assert counted(done.stdout) == list(range(1, 21))


def test_everything_is_stopped_again(home: Home) -> None:
    births = [Birth.of(pid) for pid in processes(home).values()]
    # All lines but `release`, and the two servers.
    assert len(births) == len(read_procfile(ROOT / "Procfile")) + 1
    assert launch(home, "down").returncode == 0
    assert not [birth for birth in births if birth and birth.is_alive()]


def test_from_nothing_and_back_to_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", "true")
    home = Home(tmp_path / "home")
    done = launch(home, "demo", "--once", "--repository", str(repository))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Headrace is ready" in done.stdout
    assert done.stdout.endswith("Stopped\n")
    assert home.holder() is None
    assert home.read_record() is None
