"""What both sandboxes do alike: prepare, launch at the gate, limit, follow, clean up."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tasks.pipelines.gateways.sandbox.base import (
    OnOutput,
    SandboxFailed,
    ShouldStop,
    StepCommand,
    StepOutcome,
    check_environment,
    locate_working_directory,
)
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup, ControlGroups
from tasks.pipelines.gateways.sandbox.follow import Follower, Tree
from tasks.pipelines.gateways.sandbox.launch import Launched, Plan, put_under_limits
from tasks.pipelines.gateways.sandbox.scratch import Scratch, give_to


class ProcessSandbox(ABC):
    """A sandbox made of local processes.

    `step_uid` is the user to become where we are root; the workspace is then handed to it, and every directory above
    it must let it pass. `scratch` is where the steps' own /tmp and home lie, on disk and counted with the workspace.
    """

    name: str
    facts: Mapping[str, str]

    def __init__(self, groups: ControlGroups | None, scratch: Path | None = None, step_uid: int | None = None) -> None:
        self._groups = groups
        self._scratch_parent = scratch
        self._step_uid = step_uid if os.geteuid() == 0 else None

    @abstractmethod
    def workspace_path(self, workspace: Path, /) -> PurePosixPath:
        """The path at which the step sees its workspace."""

    def run(self, command: StepCommand, on_output: OnOutput, should_stop: ShouldStop) -> StepOutcome:
        """Run a step to its end; see Sandbox.run."""
        check_environment(command.environment)
        directory = locate_working_directory(command.workspace, command.working_directory)
        scratch = Scratch.make(self._scratch_parent, command.script)
        try:
            if self._step_uid is not None:
                give_to(self._step_uid, command.workspace, scratch.root)
            with self._group() as group:
                return self._run(command, directory, scratch, group, on_output, should_stop)
        finally:
            scratch.remove()

    def _run(
        self,
        command: StepCommand,
        directory: Path,
        scratch: Scratch,
        group: ControlGroup | None,
        on_output: OnOutput,
        should_stop: ShouldStop,
    ) -> StepOutcome:
        plan = self._plan(command, directory, scratch, group)
        launched = Launched(plan)
        tree = self._tree(launched.pid, group)
        try:
            uid = os.geteuid() if self._step_uid is None else self._step_uid
            put_under_limits(launched.pid, command.limits, group, uid)
            follower = Follower(command, launched, tree, group, scratch)
            held_by = f"cgroup{group.version}" if group else "rlimits"
            outcome = follower.run(
                on_output, should_stop, has_shell_around=plan.errors is not None, name=f"{self.name}+{held_by}"
            )
            self._check_started(plan, scratch, outcome)
            return outcome
        finally:
            if not launched.is_reaped():
                tree.kill()
                launched.close_gate()
                launched.reap()
                tree.sweep()
            launched.close()

    def _check_started(self, plan: Plan, scratch: Scratch, outcome: StepOutcome) -> None:
        if plan.errors is not None and outcome.ended == "exited" and outcome.exit_code and scratch.status_size() == 0:
            said = plan.errors.read_text(errors="replace").strip() if plan.errors.exists() else ""
            raise SandboxFailed(said or None)

    @abstractmethod
    def _plan(self, command: StepCommand, directory: Path, scratch: Scratch, group: ControlGroup | None, /) -> Plan:
        """What to execute."""

    @abstractmethod
    def _tree(self, pid: int, group: ControlGroup | None, /) -> Tree:
        """The processes of a step whose first one is `pid`."""

    @contextmanager
    def _group(self) -> Iterator[ControlGroup | None]:
        group = self._groups.make() if self._groups else None
        try:
            yield group
        finally:
            if group is not None:
                group.remove()
