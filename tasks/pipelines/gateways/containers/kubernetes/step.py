"""A sandbox for the steps of one stage: each runs in a container of the stage's pod."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Condition
from typing import Final

from tasks.clusters.gateways.kubernetes import Cluster
from tasks.pipelines.gateways.containers.base import Check, ContainersUnavailable, Shape, StageNeeds
from tasks.pipelines.gateways.containers.images import ImageRules
from tasks.pipelines.gateways.containers.kubernetes.entry import RUN, Report, given
from tasks.pipelines.gateways.containers.kubernetes.files import Files
from tasks.pipelines.gateways.containers.kubernetes.follow import PodFollower
from tasks.pipelines.gateways.containers.kubernetes.opening import (
    container_status,
    end_of,
    read_pod,
    state_of,
    status_of,
)
from tasks.pipelines.gateways.containers.kubernetes.place import WORKSPACE, Pod
from tasks.pipelines.gateways.containers.kubernetes.pods import Box
from tasks.pipelines.gateways.containers.waiting import Stopped, Waiting
from tasks.pipelines.gateways.sandbox import (
    SandboxFailed,
    SandboxUnavailable,
    StepCommand,
    StepOutcome,
    WorkingDirectoryRefused,
)
from tasks.pipelines.gateways.sandbox.base import Ending, OnOutput, ShouldStop, check_environment

NAME: Final = "kubernetes"
_HELD: Final = "limits"
_LOOK_SECONDS: Final = 0.2
_RESTART_SECONDS: Final = 60.0
_TOLD_SECONDS: Final = 2.0
"""How long a node may take to tell what has become of a container."""


@dataclass(slots=True)
class PodSandbox:
    """Runs each step in a container of its shape. Safe for steps that run at once."""

    pod: Pod
    needs: StageNeeds
    rules: ImageRules
    files: Files
    check: Check
    facts: Mapping[str, str]
    boxes: Sequence[Box]
    name: str = NAME
    _busy: set[str] = field(default_factory=set)
    _freed: Condition = field(default_factory=Condition)

    def workspace_path(self, _workspace: Path, /) -> PurePosixPath:
        """The same for every workspace."""
        return WORKSPACE

    def bring_back(self) -> None:
        """Take the workspace from the pod; see StageSandbox."""
        cluster = self.pod.connect(self.check)
        try:
            self.files.take_back(cluster, self.check)
        finally:
            cluster.close()

    def send_again(self) -> None:
        """See StageSandbox."""
        self.files.send_again()

    def run(self, command: StepCommand, on_output: OnOutput, should_stop: ShouldStop) -> StepOutcome:
        """Run a step to its end; see Sandbox.run."""
        check_environment(command.environment)
        _check_directory(command.working_directory)
        shape = self._shape_of(command)
        if command.network != self.needs.network:
            raise SandboxUnavailable("On a cluster the steps of a stage share a network: all have one, or none has.")
        waiting = Waiting(should_stop, command.limits.seconds)
        cluster = self.pod.connect(waiting)
        try:
            with self._taken(shape, waiting) as box:
                self.files.bring(cluster, waiting)
                return self._run(cluster, box, command, waiting, on_output)
        except Stopped as stopped:
            return StepOutcome(stopped.ended, None, None, stopped.seconds, None, None, self.name)
        finally:
            cluster.close()

    def _run(
        self, cluster: Cluster, box: Box, command: StepCommand, waiting: Waiting, on_output: OnOutput
    ) -> StepOutcome:
        self._wait_for(cluster, box, waiting)
        mark = f"headrace-{secrets.token_hex(16)}-"
        report = Report(mark)
        place = (self.pod.name, self.pod.namespace)
        with cluster.execute(*place, RUN, container=box.name) as execution:
            limits = command.limits
            execution.send(given(mark, command.working_directory, command.environment, command.script, limits))
            waiting.patient = True
            follower = PodFollower(command, execution, report, lambda: self._why(cluster, box))
            outcome = follower.run(on_output, waiting.should_stop, f"{self.name}+{_HELD}")
        if report.refused:
            raise WorkingDirectoryRefused(f"{command.working_directory!r} is not a directory inside the workspace.")
        if report.began is None and outcome.ended == "exited":
            raise SandboxFailed(f"The step could not be started in its container: it ended with {outcome.exit_code}.")
        return outcome

    def _wait_for(self, cluster: Cluster, box: Box, waiting: Waiting) -> None:
        """A container that was ended for want of memory is started again by its node, which takes a while."""
        give_up = time.monotonic() + _RESTART_SECONDS
        while True:
            if state_of(container_status(read_pod(cluster, self.pod), box.name), "running") is not None:
                return
            if time.monotonic() > give_up:
                raise SandboxFailed("The step's container does not run any more.")
            waiting()
            time.sleep(_LOOK_SECONDS)

    def _shape_of(self, command: StepCommand) -> Shape:
        if command.image is None:
            raise SandboxUnavailable("A step that runs in a container needs an image.")
        return Shape(self.rules.admit(command.image), command.limits.cpus, command.limits.memory_bytes)

    @contextmanager
    def _taken(self, shape: Shape, waiting: Waiting) -> Iterator[Box]:
        fitting = [box for box in self.boxes if box.shape == shape]
        if not fitting:
            raise SandboxUnavailable("The stage's pod has no container for this step.")
        with self._freed:
            while not (free := [box for box in fitting if box.name not in self._busy]):
                self._freed.wait(_LOOK_SECONDS)
                waiting()
            self._busy.add(free[0].name)
        try:
            yield free[0]
        finally:
            with self._freed:
                self._busy.discard(free[0].name)
                self._freed.notify_all()

    def _why(self, cluster: Cluster, box: Box) -> Ending | None:
        """Return what has become of a container whose step was cut off; raises ContainersUnavailable for what is not
        the step's fault."""
        give_up = time.monotonic() + _TOLD_SECONDS
        while time.monotonic() < give_up:
            found = read_pod(cluster, self.pod)
            if status_of(found).get("reason"):
                return _evicted(status_of(found))
            if (ended := end_of(container_status(found, box.name))) is not None:
                return "out_of_memory" if ended.get("reason") == "OOMKilled" else None
            time.sleep(_LOOK_SECONDS)
        return None


def _evicted(status: Mapping[str, object]) -> Ending:
    said = str(status.get("message", ""))
    if status["reason"] == "Evicted" and ("ephemeral" in said or "emptyDir" in said):
        return "disk_full"
    raise ContainersUnavailable(f"The stage's pod was ended by its cluster ({str(status['reason'])[:100]}).")


def _check_directory(directory: str) -> None:
    """Refuse what need not be asked of the pod, which has the last word."""
    if "\0" in directory or "\n" in directory or directory.startswith("/") or ".." in PurePosixPath(directory).parts:
        raise WorkingDirectoryRefused(f"{directory!r} is not a directory inside the workspace.")
