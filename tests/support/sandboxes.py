"""Sandboxes of every kind that works on this machine, and what tests ask of them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pytest

from tasks.pipelines.gateways.sandbox import Limits, Sandbox, StepCommand, StepOutcome
from tasks.pipelines.gateways.sandbox.bubblewrap import BubblewrapSandbox
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroups, find_control_groups
from tasks.pipelines.gateways.sandbox.choose import choose_sandbox
from tasks.pipelines.gateways.sandbox.plain import PlainSandbox


@lru_cache
def control_groups() -> ControlGroups | None:
    """What the machine gives, looked for once."""
    return find_control_groups()


def kinds() -> list[str]:
    """The kinds that work here; an ordinary user mostly has no control groups."""
    names = ["bubblewrap", "plain"] if choose_sandbox("auto").name == "bubblewrap" else ["plain"]
    return [*(names if control_groups() else []), *(f"{name} without groups" for name in names)]


@lru_cache
def make_sandbox(kind: str) -> Sandbox:
    """The sandbox of that kind; skips the test where the machine does not allow it."""
    name, _, without = kind.partition(" ")
    if not without and control_groups() is None:
        pytest.skip("no control groups can be made here")
    groups = None if without else control_groups()
    if name == "plain":
        return PlainSandbox(groups)
    if choose_sandbox("auto").name != "bubblewrap":
        pytest.skip(f"bubblewrap does not work here: {choose_sandbox('auto').facts['why']}")
    return BubblewrapSandbox(groups)


@dataclass
class Ran:
    """What came of a step: its outcome, its output by stream, and how long the call took."""

    outcome: StepOutcome
    stdout: bytes
    stderr: bytes
    seconds: float


@dataclass
class Bench:
    """Runs steps of one sandbox in one workspace. Of a `fake` engine no process and no clock is the step's own; what
    runs `afar` has a copy of the workspace."""

    sandbox: Sandbox
    workspace: Path
    on_output: Callable[[str, bytes], None] = field(default=lambda *_: None)
    image: str | None = None
    fake: bool = False
    afar: bool = False

    @property
    def overhead(self) -> float:
        """The seconds that making and removing a container may take on a busy machine."""
        return 3.0 if self.image else 0.0

    def run(
        self,
        script: str,
        *,
        environment: Mapping[str, str] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        working_directory: str = ".",
        network: bool = False,
        grace_seconds: float = 0.5,
        **limits: float | None,
    ) -> Ran:
        """Run a script to its end; limits by keyword, 20 seconds where nothing is said."""
        output: dict[str, list[bytes]] = {"stdout": [], "stderr": [], "system": []}

        def take(stream: str, data: bytes) -> None:
            output[stream].append(data)
            self.on_output(stream, data)

        command = StepCommand(
            script=script,
            workspace=self.workspace,
            working_directory=working_directory,
            environment=environment or {},
            limits=Limits(**{"seconds": 20, **limits}),
            network=network,
            grace_seconds=grace_seconds,
            image=self.image,
        )
        began = time.monotonic()
        outcome = self.sandbox.run(command, take, should_stop)
        took = time.monotonic() - began
        return Ran(outcome, b"".join(output["stdout"]), b"".join(output["stderr"]), took)


@dataclass(frozen=True)
class Marker:
    """A `sleep` that can be told from every other process of the machine."""

    number: int = field(default_factory=lambda: uuid.uuid4().int % 10**12)

    @property
    def sleep(self) -> str:
        return f"sleep 3600.{self.number:012d}"

    def alive(self) -> list[int]:
        """The processes that carry the mark and run."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_on(pid)]

    def wait_until_gone(self, seconds: float) -> bool:
        """Whether they all ended in time."""
        give_up = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.02)
        return True

    def _is_on(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return words[0].endswith(b"sleep") and f"3600.{self.number:012d}".encode() in words and state != "Z"
