"""Following a step in its container: its output, its deadline, its disk and the wish to stop it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from app.kernel.errors import HeadraceError
from tasks.pipelines.gateways.containers.docker.attached import Attached
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tasks.pipelines.gateways.containers.docker.entry import read_used
from tasks.pipelines.gateways.sandbox import SandboxFailed, StepCommand, StepOutcome
from tasks.pipelines.gateways.sandbox.base import Ending, OnOutput, ShouldStop
from tasks.pipelines.gateways.sandbox.disk import DiskWatch
from tasks.pipelines.gateways.sandbox.follow import LINGER_SECONDS, deadly_signal
from tasks.pipelines.gateways.sandbox.processes import descendants
from tasks.pipelines.gateways.sandbox.scratch import Scratch

_TICK_SECONDS: Final = 0.1
_CANCEL_GRACE_SECONDS: Final = 0.4
"""Half of what other sandboxes give: taking a container away costs an engine the rest."""
_KILL_SECONDS: Final = 1.0
"""After a kill, how long the output's end is waited for: an engine that hangs must not hold a cancel up."""


class ContainerFollower:
    """Follows one step from the start of its container to its end."""

    def __init__(self, command: StepCommand, engine: Engine, container: str, scratch: Scratch) -> None:
        self._command = command
        self._engine = engine
        self._container = container
        self._scratch = scratch
        self._verdict: Ending | None = None
        self._kill_at = float("inf")
        self._give_up_at = float("inf")
        self._script_ended_at: float | None = None
        self._disk: DiskWatch | None = None

    def run(self, attached: Attached, on_output: OnOutput, should_stop: ShouldStop, name: str) -> StepOutcome:
        """Follow the container, which has been started; raises SandboxFailed when the engine lost it."""
        began = time.monotonic()
        try:
            self._watch_disk()
            while not attached.ended and time.monotonic() < self._give_up_at:
                for stream, data in attached.read(_TICK_SECONDS):
                    on_output(stream, data)
                self._check(attached, began, should_stop)
        finally:
            if self._disk is not None:
                self._disk.close()
        took = (self._script_ended_at or time.monotonic()) - began
        return self._outcome(took, name)

    def _watch_disk(self) -> None:
        limit = self._command.limits.disk_bytes
        if limit is not None:
            watched = (self._command.workspace, self._scratch.root)
            self._disk = DiskWatch(watched, limit, _processes_of(self._state(), self._container))

    def _check(self, attached: Attached, began: float, should_stop: ShouldStop) -> None:
        now = time.monotonic()
        if self._script_ended_at is None and self._scratch.status_size() >= 2:
            self._script_ended_at = now
        if self._script_ended_at is not None and now - self._script_ended_at > 2 * LINGER_SECONDS:
            self._kill(now)
        if self._verdict is None:
            self._verdict = self._reason_to_stop(now - began, should_stop)
            if self._verdict is not None:
                self._ask_to_end(attached, now)
        elif now >= self._kill_at:
            self._kill(now)

    def _reason_to_stop(self, elapsed: float, should_stop: ShouldStop) -> Ending | None:
        if should_stop():
            return "cancelled"
        if elapsed > self._command.limits.seconds:
            return "timed_out"
        if self._disk is not None and self._disk.is_over():
            return "disk_full"
        return None

    def _ask_to_end(self, attached: Attached, now: float) -> None:
        grace = {
            "timed_out": self._command.grace_seconds,
            "cancelled": min(self._command.grace_seconds, _CANCEL_GRACE_SECONDS),
        }.get(str(self._verdict), 0.0)
        self._kill_at = now + grace
        if grace > 0:
            attached.send("TERM")
        else:
            self._kill(now)

    def _kill(self, now: float) -> None:
        if self._give_up_at == float("inf"):
            self._give_up_at = now + _KILL_SECONDS
            with suppress(HeadraceError):
                self._engine.call("POST", f"/containers/{self._container}/kill", signal="KILL")

    def _state(self) -> dict[str, Any]:
        found = self._engine.call("GET", f"/containers/{self._container}/json") or {}
        state: dict[str, Any] = found.get("State") or {}
        return state

    def _outcome(self, took: float, name: str) -> StepOutcome:
        used = read_used(self._scratch)
        exit_code, out_of_memory = (None, False) if self._verdict else self._end_of_container()
        number = deadly_signal(exit_code)
        ended = self._verdict or self._ending_of(out_of_memory or used.kills > 0, number)
        return StepOutcome(
            ended=ended,
            exit_code=exit_code if ended == "exited" or number else None,
            signal=number if ended == "signalled" else None,
            duration_seconds=took,
            peak_memory_bytes=used.peak_memory_bytes,
            cpu_seconds=used.cpu_seconds,
            sandbox=name,
        )

    def _end_of_container(self) -> tuple[int, bool]:
        """Its exit code, and whether the engine saw it out of memory."""
        self._engine.call("POST", f"/containers/{self._container}/wait")
        state = self._state()
        if state.get("Running") or not isinstance(state.get("ExitCode"), int):
            raise SandboxFailed("The container engine lost the step.")
        return state["ExitCode"], bool(state.get("OOMKilled"))

    def _ending_of(self, out_of_memory: bool, number: int | None) -> Ending:
        if out_of_memory:
            return "out_of_memory"
        if number == signal.SIGXFSZ:
            return "disk_full"
        return "signalled" if number else "exited"


def _processes_of(state: dict[str, Any], container: str) -> Callable[[], list[int]]:
    """What lists the processes of a container; none where its first one is not of this machine."""
    pid = int(state.get("Pid") or 0)
    with suppress(OSError):
        if pid and container[:12] in Path(f"/proc/{pid}/cgroup").read_text():
            return lambda: [pid, *descendants(pid)]
    return list
