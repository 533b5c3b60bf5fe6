"""Steps as plain processes under limits, for machines that allow no namespaces. For code that is trusted."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tasks.pipelines.gateways.sandbox import supervise
from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH, StepCommand
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup, ControlGroups
from tasks.pipelines.gateways.sandbox.follow import Tree
from tasks.pipelines.gateways.sandbox.launch import SHELL, Plan, dropping_to
from tasks.pipelines.gateways.sandbox.process_sandbox import ProcessSandbox
from tasks.pipelines.gateways.sandbox.processes import descendants, kill_all, send
from tasks.pipelines.gateways.sandbox.scratch import Scratch

# Variables that run code in any program: the gate and the supervisor must not start with them. By name and not by
# prefix, because these go through a command line and a secret may well be called LD_SDK_KEY.
_FOR_THE_LOADER = frozenset(
    (
        *("GCONV_PATH", "GLIBC_TUNABLES", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_LIBRARY_PATH", "LD_PRELOAD"),
        *("LD_PROFILE", "LD_PROFILE_OUTPUT", "LOCPATH"),
    )
)


class PlainSandbox(ProcessSandbox):
    """Runs steps as ordinary processes at the workspace's real path; they see what the user they run as sees.

    A control group finds and kills every process of a step; without one, a supervisor that adopts orphans does.
    """

    name = "plain"

    def __init__(
        self, groups: ControlGroups | None, *, scratch: Path | None = None, step_uid: int | None = None
    ) -> None:
        super().__init__(groups, scratch, step_uid)
        self.facts: Mapping[str, str] = {
            "sandbox": "plain",
            "processes": "killed by control group" if groups else "killed by a supervisor",
            "network": "the host's, for every step",
        }

    def workspace_path(self, workspace: Path, /) -> PurePosixPath:
        """Its real path."""
        return PurePosixPath(workspace.resolve())

    def _plan(self, command: StepCommand, directory: Path, scratch: Scratch, group: ControlGroup | None, /) -> Plan:
        defaults = {"PATH": SYSTEM_PATH, "HOME": str(scratch.home), "TMPDIR": str(scratch.temporary)}
        environment = {**defaults, **command.environment}
        loader = [f"{name}={value}" for name, value in environment.items() if name in _FOR_THE_LOADER]
        supervisor = [] if group else [sys.executable, "-I", "-S", supervise.__file__, str(scratch.status)]
        return Plan(
            arguments=[
                *supervisor,
                *self._becoming(),
                *(["/usr/bin/env", *loader] if loader else []),
                *SHELL,
                str(scratch.script),
            ],
            environment={name: value for name, value in environment.items() if name not in _FOR_THE_LOADER},
            directory=directory,
            errors=None if group else scratch.errors,
        )

    def _becoming(self) -> list[str]:
        setpriv = shutil.which("setpriv", path=SYSTEM_PATH)
        if setpriv is None:
            return []
        return [*(dropping_to(self._step_uid) or [setpriv]), "--pdeathsig", "KILL", "--no-new-privs"]

    def _tree(self, pid: int, group: ControlGroup | None, /) -> Tree:
        return _Grouped(group) if group else _Supervised(pid)


class _Grouped:
    """The processes in a control group."""

    def __init__(self, group: ControlGroup) -> None:
        self._group = group

    def pids(self) -> list[int]:
        return self._group.pids()

    def kill(self) -> None:
        self._group.kill()

    def sweep(self) -> None:
        self._group.kill()


class _Supervised:
    """The processes below a supervisor, which leaves by itself when they are gone."""

    def __init__(self, supervisor: int) -> None:
        self._supervisor = supervisor

    def pids(self) -> list[int]:
        return descendants(self._supervisor)

    def kill(self) -> None:
        kill_all(self.pids)
        send([self._supervisor], signal.SIGTERM)
        send([self._supervisor], signal.SIGCONT)  # the step may have stopped it

    def sweep(self) -> None:
        """The supervisor has done it."""
