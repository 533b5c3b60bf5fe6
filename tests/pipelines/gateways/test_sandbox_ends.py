"""Steps that do not end by themselves, or leave something behind, end all the same and leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.sandboxes import Bench, Marker, make_sandbox


def after(seconds: float) -> Stopper:
    return Stopper(seconds)


class Stopper:
    """Wants to stop some time after it was first asked; remembers when it was asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.asked: list[float] = []
        self.wished: float | None = None

    def __call__(self) -> bool:
        self.asked.append(time.monotonic())
        if self.wished is None and self.asked[-1] - self.asked[0] >= self._seconds:
            self.wished = self.asked[-1]
        return self.wished is not None

    def since(self) -> float:
        """Seconds since it first wanted to stop."""
        assert self.wished is not None
        return time.monotonic() - self.wished


def test_a_step_that_outlives_its_time_is_ended(bench: Bench) -> None:
    ran = bench.run("echo begun; sleep 60", seconds=0.5)
    assert ran.outcome.ended == "timed_out"
    assert ran.outcome.exit_code is None or ran.outcome.exit_code == 143
    assert ran.stdout == b"begun\n"
    assert ran.seconds < 2 + bench.overhead


def test_a_step_may_clean_up_in_its_time_of_grace(bench: Bench) -> None:
    ran = bench.run("trap 'echo cleaned; exit 0' TERM; sleep 60 & wait", seconds=0.4, grace_seconds=5)
    assert ran.outcome.ended == "timed_out"
    assert ran.stdout == b"cleaned\n"
    assert ran.seconds < 3 + bench.overhead


def test_a_step_that_ignores_sigterm_is_killed_after_the_grace(bench: Bench) -> None:
    marker = Marker()
    script = f"trap '' TERM INT HUP; {marker.sleep} & {marker.sleep}; {marker.sleep}"
    ran = bench.run(script, seconds=0.4, grace_seconds=0.5)
    assert ran.outcome.ended == "timed_out"
    assert 0.8 < ran.seconds < 2.5 + bench.overhead
    assert not marker.alive()


def test_a_cancelled_step_is_gone_within_two_seconds(bench: Bench) -> None:
    marker = Marker()
    stopper = after(0.3)
    ran = bench.run(
        f"trap '' TERM; (setsid {marker.sleep} &); {marker.sleep} & {marker.sleep}; {marker.sleep}",
        should_stop=stopper,
        grace_seconds=30,
    )
    assert ran.outcome.ended == "cancelled"
    assert stopper.since() < 2
    assert not marker.alive()


def test_a_cancelled_step_that_listens_ends_at_once(bench: Bench) -> None:
    stopper = after(0.2)
    ran = bench.run("sleep 60", should_stop=stopper, grace_seconds=30)
    assert ran.outcome.ended == "cancelled"
    assert stopper.since() < (2 if bench.image else 0.8)


@pytest.mark.parametrize("script", ["sleep 1", "yes | head -c 50000000", "while :; do echo x; done"])
def test_the_wish_to_stop_is_asked_for_at_least_every_quarter_second(bench: Bench, script: str) -> None:
    stopper = after(1)
    bench.run(script, should_stop=stopper)
    gaps = [late - early for early, late in zip(stopper.asked, stopper.asked[1:], strict=False)]
    assert max(gaps) < (1 if bench.image else 0.25)


def test_daemons_that_left_the_session_die_with_the_step(bench: Bench) -> None:
    marker = Marker()
    ran = bench.run(
        f"(setsid {marker.sleep} >/dev/null 2>&1 &)\n"
        f"(setsid sh -c '(setsid nohup {marker.sleep} >/dev/null 2>&1 &)' &)\n"
        f"{marker.sleep} >/dev/null 2>&1 &\n"
        "sleep 0.2; echo done"
    )
    assert ran.outcome.ended == "exited"
    assert ran.stdout == b"done\n"
    assert marker.wait_until_gone(0.5)


def test_daemons_with_an_empty_environment_die_with_the_step(bench: Bench) -> None:
    marker = Marker()
    bench.run(f"(env -i setsid setsid {marker.sleep} >/dev/null 2>&1 &); sleep 0.1")
    assert marker.wait_until_gone(0.5)


def test_a_background_process_that_keeps_the_pipe_open_does_not_hold_the_end_up(bench: Bench) -> None:
    marker = Marker()
    ran = bench.run(f"{marker.sleep} & (setsid {marker.sleep} &) ; echo main is done")
    assert ran.outcome.ended == "exited"
    assert ran.outcome.exit_code == 0
    assert ran.stdout == b"main is done\n"
    assert ran.seconds < 2 + bench.overhead
    assert ran.outcome.duration_seconds < 0.9
    assert not marker.alive()


def test_a_step_that_closes_its_output_and_lives_on_is_followed_to_its_end(bench: Bench) -> None:
    ran = bench.run("echo bye; exec >&- 2>&-; sleep 0.6; touch alive; exit 5")
    assert ran.outcome.exit_code == 5
    assert ran.outcome.duration_seconds > 0.4  # counted from when the engine says that it has started
    assert (bench.workspace / "alive").exists()


def test_a_step_that_closes_its_output_is_cancelled_like_any_other(bench: Bench) -> None:
    marker = Marker()
    stopper = after(0.2)
    ran = bench.run(f"exec >&- 2>&-; trap '' TERM; {marker.sleep}", should_stop=stopper)
    assert ran.outcome.ended == "cancelled"
    assert stopper.since() < 2
    assert not marker.alive()


def test_a_step_that_kills_everything_it_can_reach_hurts_only_itself() -> None:
    for kind in ("bubblewrap", "bubblewrap without groups"):
        ran = _bench(kind).run("kill -9 -1; echo not reached")
        assert ran.outcome.ended in ("signalled", "exited")
        assert ran.outcome.exit_code != 0


def _bench(kind: str) -> Bench:
    from pathlib import Path
    from tempfile import mkdtemp

    return Bench(make_sandbox(kind), Path(mkdtemp()))


CALLER = """
import sys
from pathlib import Path
from tests.support.sandboxes import Bench, make_sandbox
bench = Bench(make_sandbox(sys.argv[1]), Path(sys.argv[2]), lambda *_: print("step runs", flush=True))
bench.run(sys.argv[3], seconds=60)
"""


@pytest.mark.parametrize(
    ("kind", "escapes"),
    [
        ("bubblewrap", True),
        ("bubblewrap without groups", True),
        ("plain", False),
        ("plain without groups", True),
    ],
)
def test_a_worker_killed_outright_takes_the_step_with_it(kind: str, escapes: bool, tmp_path: object) -> None:
    make_sandbox(kind)
    marker = Marker()
    script = f"echo now; trap '' TERM; {f'(setsid {marker.sleep} &);' if escapes else ''} exec {marker.sleep}"
    worker = subprocess.Popen(
        [sys.executable, "-c", CALLER, kind, str(tmp_path), script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"step runs\n"
        while len(marker.alive()) < (2 if escapes else 1):
            time.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert marker.wait_until_gone(2)
