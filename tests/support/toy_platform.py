"""A platform of small real processes in a folder of its own, handled by the launcher's command line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from launcher.home import Home
from launcher.processes import Birth

ROOT = Path(__file__).parents[2]
SERVERS_ELSEWHERE = {"DATABASE_URL": "postgresql://elsewhere", "REDIS_URL": "redis://elsewhere"}

STEADY = """
import signal, sys, time
def end(number, frame):
    print("asked to end at", time.monotonic_ns(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready.", flush=True)
while True:
    time.sleep(0.02)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready.", flush=True)
while True:
    time.sleep(0.02)
"""

T = TypeVar("T")


def wait_for(look: Callable[[], T], seconds: float = 20) -> T:
    """What `look` sees, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.03)
    return seen


class ToyPlatform:
    """Its Procfile has one line for each script; the names begin with `worker`, so that "ready." makes them ready."""

    def __init__(self, folder: Path, scripts: dict[str, str], environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.home = Home(folder / "a home")
        self._environment = os.environ | (SERVERS_ELSEWHERE if environment is None else environment)
        self._launcher: subprocess.Popen[str] | None = None
        for name, body in scripts.items():
            (folder / f"{name}.py").write_text(body)
        (folder / "Procfile").write_text("".join(f"{name}: python {name}.py\n" for name in scripts))

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command of the launcher to its end."""
        return subprocess.run(
            self._command(*words),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def launch(self) -> "subprocess.Popen[str]":
        """Starts `up` in the foreground of this test."""
        self._launcher = subprocess.Popen(
            self._command("up"),
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self._launcher

    def up(self) -> dict[str, Birth]:
        """Starts the platform, waits until it is ready and returns its processes."""
        self.launch()
        wait_for(lambda: self.home.read_run() or not self.is_launching())
        return self.births()

    def is_launching(self) -> bool:
        """True while the launcher lives."""
        return self._launcher is not None and self._launcher.poll() is None

    def births(self) -> dict[str, Birth]:
        """The processes that the launcher has noted."""
        record = self.home.read_record()
        return record.processes if record else {}

    def said(self, name: str) -> str:
        """The log of one process."""
        log = self.home.logs / f"{name}.log"
        return log.read_text() if log.exists() else ""

    def end(self) -> str:
        """Asks the launcher to stop, as Ctrl-C does; returns all that it said."""
        assert self._launcher
        self._launcher.send_signal(signal.SIGINT)
        return self._launcher.communicate(timeout=60)[0]

    def clean_up(self) -> None:
        """Leaves nothing behind, whatever the test did."""
        if self._launcher and self._launcher.poll() is None:
            self._launcher.terminate()
            self._launcher.terminate()
        if self._launcher and self._launcher.stdout:
            self._launcher.communicate()
        self.call("down")

    def _command(self, *words: str) -> list[str]:
        options = ["--home", str(self.home.folder), "--procfile", str(self.folder / "Procfile")]
        return [sys.executable, "-m", "launcher", *options, *words]
