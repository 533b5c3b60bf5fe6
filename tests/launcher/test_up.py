"""Starting, supervising and stopping a platform of real processes."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.home import Record
from launcher.processes import Birth
from tests.support.toy_platform import STEADY, STUBBORN, ToyPlatform, wait_for

Maker = Callable[..., ToyPlatform]


@pytest.fixture
def make_platform(tmp_path: Path) -> Iterator[Maker]:
    with contextlib.ExitStack() as cleaning:

        def make(environment: dict[str, str] | None = None, **scripts: str) -> ToyPlatform:
            platform = ToyPlatform(tmp_path, scripts, environment)
            cleaning.callback(platform.clean_up)
            return platform

        yield make


def all_gone(births: dict[str, Birth]) -> bool:
    return not any(birth.is_alive() for birth in births.values())


def asked_to_end_at(platform: ToyPlatform, name: str) -> int:
    return int(re.findall(r"asked to end at (\d+)", platform.said(name))[-1])


def test_up_starts_every_process_and_tells_where_they_are(make_platform: Maker) -> None:
    platform = make_platform(worker_a=STEADY, worker_b=STEADY)
    births = platform.up()
    run = json.loads(platform.home.run_file.read_text())
    assert sorted(run) == ["admin", "api", "database", "flower", "processes", "redis"]
    assert run["processes"] == {name: birth.pid for name, birth in births.items()}
    assert set(births) == {"worker_a", "worker_b"}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", run["api"])
    assert run["database"] == "postgresql://elsewhere"
    assert run["admin"]["username"] == "admin"
    assert len(run["admin"]["password"]) >= 16


def test_what_it_keeps_is_for_its_owner_alone(make_platform: Maker) -> None:
    platform = make_platform(worker=STEADY)
    platform.up()
    assert stat.S_IMODE(platform.home.folder.stat().st_mode) == 0o700
    for name in ("run.json", "secrets", "processes.json"):
        assert stat.S_IMODE((platform.home.folder / name).stat().st_mode) == 0o600


def test_stopping_asks_the_last_first_and_leaves_nothing(make_platform: Maker) -> None:
    platform = make_platform(worker_a=STEADY, worker_b=STEADY)

    def asks_last_first() -> bool:
        births = platform.up()
        assert "Headrace is ready" in platform.end()
        assert all_gone(births)
        assert not platform.home.run_file.exists()
        return asked_to_end_at(platform, "worker_b") < asked_to_end_at(platform, "worker_a")

    # A busy machine may wake them in another order than they were asked in, but hardly three times.
    assert any(asks_last_first() for _ in range(3))


def test_the_password_is_shown_at_the_first_start_only(make_platform: Maker) -> None:
    platform = make_platform(worker=STEADY)
    platform.up()
    password = platform.home.secrets()["admin_password"]
    assert password in platform.end()
    platform.up()
    assert platform.home.secrets()["admin_password"] == password
    assert password not in platform.end()


def test_what_dies_is_started_again_and_noted(make_platform: Maker) -> None:
    platform = make_platform(worker_a=STEADY, worker_b=STEADY)
    before = platform.up()
    os.kill(before["worker_a"].pid, signal.SIGKILL)
    wait_for(lambda: platform.births().get("worker_a", before["worker_a"]) != before["worker_a"])
    after = platform.births()
    assert after["worker_b"] == before["worker_b"]
    wait_for(lambda: (platform.home.read_run() or {})["processes"]["worker_a"] == after["worker_a"].pid)
    assert "worker_a ended with exit code 137; starting it again" in platform.end()


def test_offspring_of_a_killed_process_ends_before_the_process_starts_again(make_platform: Maker) -> None:
    body = "import subprocess, sys\nsubprocess.Popen([sys.executable, 'offspring.py'], start_new_session=True)\n"
    platform = make_platform(worker=body + STEADY)
    (platform.folder / "offspring.py").write_text(
        "import os, time\nprint('offspring', os.getpid(), flush=True)\n" + STUBBORN
    )
    before = platform.up()
    pid = int(wait_for(lambda: re.findall(r"offspring (\d+)", platform.said("worker")))[0])
    offspring = Birth.of(pid)
    assert offspring
    os.kill(before["worker"].pid, signal.SIGKILL)
    wait_for(lambda: not offspring.is_alive())


def test_a_process_that_dies_at_each_start_ends_the_whole_with_its_words_and_code(make_platform: Maker) -> None:
    platform = make_platform(worker_a=STEADY, web="import sys\nprint('no such database')\nsys.exit(7)\n")
    done = platform.call("up")
    assert done.returncode == 7
    assert "web ended with exit code 7; its last lines:\n  no such database" in done.stderr
    assert platform.births() == {}
    assert "asked to end" in platform.said("worker_a")


def test_a_release_that_fails_ends_the_start(make_platform: Maker) -> None:
    platform = make_platform(release="import sys\nsys.exit('the schema is newer')\n", worker=STEADY)
    done = platform.call("up")
    assert done.returncode == 1
    assert "the schema is newer" in done.stderr
    assert platform.said("worker") == ""


def test_a_second_ctrl_c_does_not_wait_for_stubborn_work(make_platform: Maker) -> None:
    platform = make_platform(worker=STUBBORN)
    births = platform.up()
    launcher = platform.home.holder()
    assert launcher
    os.kill(launcher.pid, signal.SIGINT)
    wait_for(lambda: not platform.home.run_file.exists())
    assert births["worker"].is_alive()
    os.kill(launcher.pid, signal.SIGINT)
    wait_for(lambda: all_gone(births) and not launcher.is_alive(), seconds=5)


def test_a_killed_launcher_leaves_no_orphans(make_platform: Maker) -> None:
    platform = make_platform(worker=STEADY, worker_forks="import os\nos.fork()\n" + STEADY)
    births = platform.up()
    launcher = platform.home.holder()
    assert launcher
    os.kill(launcher.pid, signal.SIGKILL)
    wait_for(lambda: all_gone(births))
    # The record goes when the guard has seen to the rest, such as the forked half of a process.
    wait_for(lambda: not platform.births())


def test_the_next_start_stops_what_was_left_and_no_stranger(make_platform: Maker) -> None:
    platform = make_platform(worker=STEADY)
    platform.home.make()
    with subprocess.Popen([sys.executable, "-c", STEADY], stdout=subprocess.DEVNULL) as left:
        leftover = Birth.of(left.pid)
        assert leftover
        # This test's own pid with another process' birth: a number that was used again.
        recycled = Birth(os.getpid(), leftover.started)
        platform.home.write_record(Record("an earlier launch", {"worker": leftover, "recycled": recycled}))
        platform.up()
        assert left.wait(timeout=10) == 0
    assert "Stopping what an earlier start left behind: worker\n" in platform.end()


def test_up_in_the_background_and_down(make_platform: Maker) -> None:
    platform = make_platform(worker=STEADY)
    started = platform.call("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert "Headrace is ready" in started.stdout
    births = platform.births()
    assert not all_gone(births)
    again = platform.call("up", "--detach")
    assert (again.returncode, len(again.stdout.splitlines())) == (0, 1)
    assert "already running at http://127.0.0.1:" in again.stdout
    assert platform.call("status").returncode == 0
    down = platform.call("down")
    assert (down.returncode, down.stdout) == (0, "Stopping Headrace\nHeadrace is stopped\n")
    assert all_gone(births)


def test_down_twice_is_fine(make_platform: Maker) -> None:
    platform = make_platform(worker=STEADY)
    for _ in range(2):
        down = platform.call("down")
        assert (down.returncode, down.stdout) == (0, "Headrace is not running\n")
    assert platform.call("status").returncode == 3


def test_a_background_start_that_fails_says_why(make_platform: Maker) -> None:
    platform = make_platform(worker="import sys\nsys.exit('out of luck')\n")
    done = platform.call("up", "--detach")
    assert done.returncode == 1
    assert "out of luck" in done.stdout
    assert platform.home.holder() is None


def test_taken_ports_are_left_to_their_owners(make_platform: Maker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = owner.getsockname()[1]
        wish = {"PORT": str(taken), "DATABASE_URL": "postgresql://elsewhere", "REDIS_URL": "redis://elsewhere"}
        platform = make_platform(environment=wish, worker="import os\nprint('port', os.environ['PORT'])\n" + STEADY)
        platform.up()
        run = platform.home.read_run()
    assert run
    assert run["api"] != f"http://127.0.0.1:{taken}"
    assert f"port {run['api'].rpartition(':')[2]}\n" in platform.said("worker")


def test_hostile_output_cannot_drive_the_terminal(make_platform: Maker) -> None:
    platform = make_platform(
        worker="print('\\x1b]0;title\\x07\\x1b[2Jred \\x1b[31mred\\x1b[0m', flush=True)\n" + STEADY
    )
    platform.up()
    said = platform.end()
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said
    assert "red \x1b[31mred\x1b[0m" in said


@pytest.mark.slow
def test_the_embedded_servers_belong_to_the_platform(make_platform: Maker) -> None:
    platform = make_platform(environment={"DATABASE_URL": "", "REDIS_URL": ""}, worker=STEADY)
    births = platform.up()
    assert set(births) == {"postgresql", "redis", "worker"}
    os.kill(births["redis"].pid, signal.SIGKILL)
    wait_for(lambda: platform.births().get("redis", births["redis"]) != births["redis"])
    births = platform.births()
    said = platform.end()
    assert "Redis ended; starting it again" in said
    assert all_gone(births)
