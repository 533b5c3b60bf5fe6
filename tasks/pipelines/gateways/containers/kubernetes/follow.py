"""Following a step in its pod: its output, its deadline and the wish to stop it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.kernel.errors import HeadraceError
from tasks.clusters.gateways.kubernetes import Ended, Execution
from tasks.pipelines.gateways.containers.kubernetes.entry import Report
from tasks.pipelines.gateways.sandbox import StepCommand, StepOutcome
from tasks.pipelines.gateways.sandbox.base import Ending, OnOutput, ShouldStop
from tasks.pipelines.gateways.sandbox.follow import deadly_signal

_TICK_SECONDS: Final = 0.1
_CANCEL_GRACE_SECONDS: Final = 0.4
"""Half of what sandboxes of this machine give: a cluster is farther away."""
_KILL_SECONDS: Final = 1.0
_KILLED: Final = 128 + signal.SIGKILL


@dataclass(slots=True)
class PodFollower:
    """Follows one step. `why` tells how its container fared, for a step whose end nobody reported: an ending, or
    None where the container is well."""

    command: StepCommand
    execution: Execution
    report: Report
    why: Callable[[], Ending | None]
    _verdict: Ending | None = None
    _kill_at: float = float("inf")
    _give_up_at: float = float("inf")

    def run(self, on_output: OnOutput, should_stop: ShouldStop, name: str) -> StepOutcome:
        """Follow it to its end; raises ClusterAway when the connection is lost."""
        asked = time.monotonic()
        while self.execution.ended is None and time.monotonic() < self._give_up_at:
            for stream, data in self.execution.read(_TICK_SECONDS):
                own = self.report.take(data) if stream == "stderr" else data
                if own:
                    on_output(stream, own)
            self._check(asked, should_stop)
        if rest := self.report.rest():
            on_output("stderr", rest)
        began = self.report.began or asked
        return self._outcome((self.report.ended or time.monotonic()) - began, name)

    def _check(self, asked: float, should_stop: ShouldStop) -> None:
        now = time.monotonic()
        stop = should_stop()
        if self._verdict is None and self.report.ended is None:
            if stop:
                self._verdict = "cancelled"
            elif now - (self.report.began or asked) > self.command.limits.seconds:
                self._verdict = "timed_out"
            if self._verdict is not None:
                self._ask_to_end(now)
        elif now >= self._kill_at:
            self._kill(now)

    def _ask_to_end(self, now: float) -> None:
        grace = self.command.grace_seconds
        if self._verdict == "cancelled":
            grace = min(grace, _CANCEL_GRACE_SECONDS)
        self._kill_at = now + grace
        if grace > 0 and self.report.began is not None:
            self._send("TERM")
        else:
            self._kill(now)

    def _kill(self, now: float) -> None:
        if self._give_up_at == float("inf"):
            self._give_up_at = now + (_KILL_SECONDS if self.report.began is not None else 0.0)
            self._send("KILL")

    def _send(self, word: str) -> None:
        with suppress(HeadraceError):
            self.execution.send(f"{word}\n".encode())

    def _outcome(self, took: float, name: str) -> StepOutcome:
        end, used = self.execution.ended or Ended(None), self.report.used
        exit_code = end.exit_code
        number = deadly_signal(exit_code)
        ended = self._verdict or self._ending(exit_code, number)
        return StepOutcome(
            ended=ended,
            exit_code=exit_code if ended == "exited" or number else None,
            signal=number if ended == "signalled" else None,
            duration_seconds=took,
            peak_memory_bytes=used.peak_memory_bytes if used else None,
            cpu_seconds=used.cpu_seconds if used else None,
            sandbox=name,
        )

    def _ending(self, exit_code: int | None, number: int | None) -> Ending:
        used = self.report.used
        if used is not None and used.kills > 0:
            return "out_of_memory"
        if number == signal.SIGXFSZ or (used is not None and used.disk_full):
            return "disk_full"
        if used is None and exit_code in (None, _KILLED) and (found := self.why()) is not None:
            return found
        return "signalled" if number else "exited"
