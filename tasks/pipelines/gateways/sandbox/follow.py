"""Following a running step: its output, its deadline, its limits and the wish to stop it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import selectors
import signal
import time
from typing import IO, Protocol, cast

from tasks.pipelines.gateways.sandbox.base import Ending, OnOutput, ShouldStop, StepCommand, StepOutcome, Stream
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup
from tasks.pipelines.gateways.sandbox.disk import DiskWatch
from tasks.pipelines.gateways.sandbox.launch import Launched
from tasks.pipelines.gateways.sandbox.processes import resident_bytes, send
from tasks.pipelines.gateways.sandbox.scratch import Scratch

CANCEL_GRACE_SECONDS = 0.8  # with the looks, the kill and the last lines of its log: ended within 1.6 s of the wish
LINGER_SECONDS = 1.0  # for what still writes when the script has ended, such as the tee of `exec > >(tee log)`
_DRAIN_SECONDS = 0.5
_TICK_SECONDS = 0.1
_USAGE_SECONDS = 0.25
_READ_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
_SMALL_BYTES = 1 << 12
_BATCH_SECONDS = 0.005

# Shells report a command's death by signal n as 128 + n. Only signals that end programs are taken for that: some
# programs leave with such codes by themselves, as git does with 128 and 129.
_DEADLY = frozenset((4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 24, 25, 31))


def deadly_signal(exit_code: int | None) -> int | None:
    """The signal that a shell's exit code tells of, or None."""
    return exit_code - 128 if exit_code is not None and exit_code - 128 in _DEADLY else None


class Tree(Protocol):
    """All processes of a step."""

    def pids(self) -> list[int]:
        """Those that may be signalled."""
        ...

    def kill(self) -> None:
        """Kill them all, at once and for good; the first of them has not been reaped yet."""
        ...

    def sweep(self) -> None:
        """Kill what the first one, already reaped, has left behind."""
        ...


class Follower:
    """Follows one step from the gate to its end."""

    def __init__(
        self, command: StepCommand, launched: Launched, tree: Tree, group: ControlGroup | None, scratch: Scratch
    ) -> None:
        self._command = command
        self._launched = launched
        self._tree = tree
        self._group = group if group and "memory" in group.paths else None
        self._scratch = scratch
        self._disk: DiskWatch | None = None
        if command.limits.disk_bytes is not None:
            self._disk = DiskWatch((command.workspace, scratch.root), command.limits.disk_bytes, tree.pids)
        self._selector = selectors.DefaultSelector()
        self._pidfd = os.pidfd_open(launched.pid)
        self._verdict: Ending | None = None
        self._kill_at = float("inf")
        self._script_ended_at: float | None = None
        self._exit: tuple[int, resource.struct_rusage] | None = None
        self._peak_memory = 0
        self._next_usage_at = 0.0
        self._smalls = 0

    def run(self, on_output: OnOutput, should_stop: ShouldStop, *, has_shell_around: bool, name: str) -> StepOutcome:
        """Release the step and follow it; whatever happens, no process of it is left when this returns or raises."""
        began = time.monotonic()
        self._watch_pipes()
        self._launched.release(keep_gate=has_shell_around)
        try:
            while not self._has_ended():
                self._pass_on(on_output, _TICK_SECONDS)
                self._check(began, should_stop)
            took = (self._script_ended_at or time.monotonic()) - began
            self._tree.sweep()
            self._drain(on_output)
        finally:
            self._end()
        return self._outcome(took, name)

    def _watch_pipes(self) -> None:
        for stream, pipe in (("stdout", self._launched.stdout), ("stderr", self._launched.stderr)):
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._selector.register(pipe, selectors.EVENT_READ, stream)
        self._selector.register(self._pidfd, selectors.EVENT_READ, "exit")

    def _pass_on(self, on_output: OnOutput, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            if key.data == "exit":
                self._reap()
            else:
                self._read(cast("IO[bytes]", key.fileobj), key.data, on_output)
        if self._smalls > 3:
            self._let_output_gather()

    def _read(self, pipe: IO[bytes], stream: Stream, on_output: OnOutput) -> None:
        try:
            data = os.read(pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._smalls = self._smalls + 1 if len(data) < _SMALL_BYTES else 0
            on_output(stream, data)
            return
        self._selector.unregister(pipe)
        if not self._open_pipes():
            self._launched.close_gate()

    def _let_output_gather(self) -> None:
        """Sleep a little under a flood of small writes: waking for each would cost more than the step itself."""
        self._smalls = 0
        if self._exit is None:
            with selectors.SelectSelector() as exit_only:
                exit_only.register(self._pidfd, selectors.EVENT_READ)
                exit_only.select(_BATCH_SECONDS)

    def _reap(self) -> None:
        self._selector.unregister(self._pidfd)
        self._exit = self._launched.reap()
        self._script_ended_at = self._script_ended_at or time.monotonic()

    def _has_ended(self) -> bool:
        """The first process is gone, and so is everyone who could still write, or their time is up."""
        if self._exit is None:
            return False
        lingered = time.monotonic() - (self._script_ended_at or 0) > LINGER_SECONDS
        return not self._open_pipes() or lingered or self._verdict is not None

    def _open_pipes(self) -> bool:
        return any(key.data != "exit" for key in self._selector.get_map().values())

    def _check(self, began: float, should_stop: ShouldStop) -> None:
        now = time.monotonic()
        self._notice_end_of_script(now)
        if now >= self._next_usage_at:
            self._next_usage_at = now + _USAGE_SECONDS
            self._measure_memory()
        if self._verdict is None:
            self._verdict = self._reason_to_stop(now - began, should_stop)
            if self._verdict is not None:
                self._ask_to_end(now)
        elif now >= self._kill_at and self._exit is None:
            self._tree.kill()

    def _notice_end_of_script(self, now: float) -> None:
        """With a shell around the script, that shell waits for us to close the gate; status tells when it waits."""
        if self._script_ended_at is None and self._scratch.status_size() >= 2:
            self._script_ended_at = now
        if self._script_ended_at is not None and now - self._script_ended_at > LINGER_SECONDS:
            self._launched.close_gate()

    def _measure_memory(self) -> None:
        used = self._group.memory_bytes() if self._group else resident_bytes(self._tree.pids())
        self._peak_memory = max(self._peak_memory, used)

    def _reason_to_stop(self, elapsed: float, should_stop: ShouldStop) -> Ending | None:
        limits = self._command.limits
        if self._exit is not None:
            return None
        if should_stop():
            return "cancelled"
        if elapsed > limits.seconds:
            return "timed_out"
        if self._is_out_of_memory():
            return "out_of_memory"
        if self._disk is not None and self._disk.is_over():
            return "disk_full"
        return None

    def _is_out_of_memory(self) -> bool:
        if self._group is not None:
            return self._group.out_of_memory_kills() > 0
        limit = self._command.limits.memory_bytes
        return limit is not None and self._peak_memory > limit

    def _ask_to_end(self, now: float) -> None:
        grace = {
            "timed_out": self._command.grace_seconds,
            "cancelled": min(self._command.grace_seconds, CANCEL_GRACE_SECONDS),
        }.get(str(self._verdict), 0.0)
        self._kill_at = now + grace
        if grace > 0:
            send(self._tree.pids(), signal.SIGTERM)
        else:
            self._tree.kill()

    def _drain(self, on_output: OnOutput) -> None:
        """What was written before the end but not read yet; bounded, in case someone out of reach holds a pipe."""
        give_up = time.monotonic() + _DRAIN_SECONDS
        while self._open_pipes() and time.monotonic() < give_up:
            self._pass_on(on_output, _TICK_SECONDS)

    def _end(self) -> None:
        if self._exit is None:
            self._tree.kill()
            self._exit = self._launched.reap()
            self._tree.sweep()
        if self._disk is not None:
            self._disk.close()
        self._selector.close()
        os.close(self._pidfd)

    def _outcome(self, took: float, name: str) -> StepOutcome:
        code, usage = self._exit or (0, resource.getrusage(resource.RUSAGE_SELF))
        exit_code = 128 - code if code < 0 else code
        number = deadly_signal(exit_code)
        self._peak_memory = max(self._peak_memory, self._largest(usage))
        ended = self._verdict or self._ending_of(exit_code, number)
        return StepOutcome(
            ended=ended,
            exit_code=exit_code if ended == "exited" or number else None,
            signal=number if ended == "signalled" else None,
            duration_seconds=took,
            peak_memory_bytes=self._peak_memory or None,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            sandbox=name,
        )

    def _largest(self, usage: resource.struct_rusage) -> int:
        """The resident size of the largest process, as far as it can be known.

        The kernel counts our own size into that of a process we start (it is the one before the exec), so a smaller
        figure than ours says nothing; the group's peak is then the better bound, although it counts the page cache.
        """
        largest = usage.ru_maxrss * 1024
        if largest > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024:
            return largest
        peak = self._group.peak_memory_bytes() if self._group else None
        return min(peak or 0, largest)

    def _ending_of(self, exit_code: int, number: int | None) -> Ending:
        if self._is_out_of_memory() and (self._group or exit_code):
            return "out_of_memory"
        if number == signal.SIGXFSZ:
            return "disk_full"
        return "signalled" if number else "exited"
