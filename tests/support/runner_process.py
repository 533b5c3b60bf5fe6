"""`headrace runner` as a machine runs it: a process of its own that knows the platform by its address and a token."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.callers import User
from tests.support.platform import wait_for
from tests.support.servers import ROOT

COMMAND = (sys.executable, "-P", "-m", "cli", "runner")
SECONDS = 60.0


@dataclass
class RunnerProcess:
    """A registered runner; `process` is the one that was started last."""

    home: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> str:
        """What it has logged."""
        return (self.home / "log").read_text(errors="replace")

    def deed(self, name: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call one of its commands, and return how that ended."""
        command = [*COMMAND, name, "--home", str(self.home), *options]
        given = _environment() | environment
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=SECONDS, check=False)

    def start(self, *options: str) -> None:
        """Start it, and wait until it has reached the platform."""
        command = [*COMMAND, "start", "--home", str(self.home), "--allow-file-repositories", *options]
        self.home.mkdir(exist_ok=True)
        with (self.home / "log").open("wb") as log:
            self.process = subprocess.Popen(command, env=_environment(), stderr=log, cwd=self.home)
        wait_for(lambda: "connected" in self.said or not self.is_running, SECONDS)
        assert self.is_running, self.said

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and return its exit status."""
        assert self.process is not None
        return self.process.wait(SECONDS)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.is_running:
            self.signal(signal.SIGKILL)
            self.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def registered(user: User, organization_id: str, home: Path, *labels: str) -> Iterator[RunnerProcess]:
    """Register a runner of a user's organization; it is stopped in the end."""
    token = user.post(f"/organizations/{organization_id}/runner-tokens", {}).data(201)["token"]
    runner = RunnerProcess(home)
    options = (user.base, "--name", home.name, "--labels", ",".join(labels))
    ended = runner.deed("register", *options, HEADRACE_RUNNER_TOKEN=token)
    assert ended.returncode == 0, ended.stderr
    try:
        yield runner
    finally:
        runner.stop()
