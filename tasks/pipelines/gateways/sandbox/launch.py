"""Starting a step so that nothing of it runs before its limits hold."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH, Limits, SandboxFailed
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup
from tasks.pipelines.gateways.sandbox.processes import count_tasks_of

SHELL = ["/bin/bash", "-eo", "pipefail"] if os.access("/bin/bash", os.X_OK) else ["/bin/sh", "-e"]

# The step waits here until it has been put under its limits; only then does anything of its own making run.
_GATE = 'read -r _ && exec "$@" </dev/null'
# For a program that stays around the step: the step's pipes move out of its way to 3 and 4, so that they close with the
# step; what the program itself has to say goes to a file.
_GATE_AROUND = 'read -r _ && exec "$@" 3>&1 4>&2 >/dev/null 2>"$0"'


@dataclass(frozen=True, slots=True)
class Plan:
    """What to execute.

    With `errors` a program stays around the step: it keeps the gate as its standard input, finds the step's pipes at 3
    and 4, and writes its own errors to that file. The descriptors in `inherited` are above 4, and closed here.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    errors: Path | None = None
    inherited: Sequence[int] = ()


def dropping_to(uid: int | None) -> list[str]:
    """The command prefix that becomes `uid`; nothing when the step keeps ours."""
    if uid is None:
        return []
    return [tool("setpriv"), "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]


def tool(name: str) -> str:
    """The path of a program of the system. Raises SandboxFailed when there is none."""
    path = shutil.which(name, path=SYSTEM_PATH)
    if path is None:
        raise SandboxFailed(f"The program {name} is missing.")
    return path


class Launched:
    """A step's first process, held at the gate until `release`."""

    def __init__(self, plan: Plan) -> None:
        gate = [_GATE, "step"] if plan.errors is None else [_GATE_AROUND, str(plan.errors)]
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", *gate, *plan.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(plan.environment),
                cwd=plan.directory,
                pass_fds=plan.inherited,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SandboxFailed from error
        finally:
            for descriptor in plan.inherited:
                os.close(descriptor)
        self.pid = self._process.pid
        self.stdout: IO[bytes] = _pipe(self._process.stdout)
        self.stderr: IO[bytes] = _pipe(self._process.stderr)
        self._gate: IO[bytes] = _pipe(self._process.stdin)

    def release(self, *, keep_gate: bool) -> None:
        """Let it run; a kept gate closes when `close_gate` is called or this process dies."""
        with contextlib.suppress(BrokenPipeError):
            self._gate.write(b"\n")
            self._gate.flush()
        if not keep_gate:
            self.close_gate()

    def close_gate(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._gate.close()

    def reap(self) -> tuple[int, resource.struct_rusage]:
        """Wait for its end; the return code (negative: a signal) and what it and its waited-for children used."""
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process.returncode, usage

    def is_reaped(self) -> bool:
        return self._process.returncode is not None

    def close(self) -> None:
        for pipe in (self.stdout, self.stderr):
            pipe.close()
        self.close_gate()


def put_under_limits(pid: int, limits: Limits, group: ControlGroup | None, uid: int) -> None:
    """Limit a process that waits at the gate: by its group where that has the controller, else by rlimits."""
    held = group.paths if group else {}
    try:
        if group is not None:
            group.limit(limits)
            group.add(pid)
        for kind, amount in _resource_limits(limits, held, uid).items():
            _lower(pid, kind, amount)
        if limits.cpus is not None and "cpu" not in held:
            _pin(pid, limits.cpus)
    except OSError as error:
        raise SandboxFailed("The limits of the step could not be set.") from error


def _resource_limits(limits: Limits, held: Mapping[str, Path], uid: int) -> dict[int, int]:
    wanted = {resource.RLIMIT_CORE: 0}
    sizes = [size for size in (limits.file_bytes, limits.disk_bytes) if size is not None]
    if sizes:
        wanted[resource.RLIMIT_FSIZE] = min(sizes)
    if limits.processes is not None and "pids" not in held:
        wanted[resource.RLIMIT_NPROC] = count_tasks_of(uid) + limits.processes
    if limits.memory_bytes is not None and "memory" not in held:
        # Twice the limit, as a last bound for one process: the watch ends the step sooner, and can say why.
        # RLIMIT_AS was rejected: Go, Java and Node reserve far more address space than they use.
        wanted[resource.RLIMIT_DATA] = 2 * limits.memory_bytes
    return wanted


def _lower(pid: int, kind: int, amount: int) -> None:
    _, hard = resource.prlimit(pid, kind)
    allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    resource.prlimit(pid, kind, (allowed, allowed))


def _pin(pid: int, cpus: float) -> None:
    """Without a controller, at least no more processors at once; at random, so that steps spread."""
    available = sorted(os.sched_getaffinity(pid))
    os.sched_setaffinity(pid, random.sample(available, min(len(available), max(1, round(cpus)))))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise SandboxFailed
    return stream
