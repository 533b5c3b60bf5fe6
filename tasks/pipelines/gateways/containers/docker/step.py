"""A sandbox for the steps of one stage: a container for each, on the stage's networks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from app.kernel.errors import HeadraceError
from tasks.pipelines.gateways.containers.base import Owner
from tasks.pipelines.gateways.containers.docker.attached import Attached
from tasks.pipelines.gateways.containers.docker.bodies import WORKSPACE, Body, step_body, step_mounts
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tasks.pipelines.gateways.containers.docker.fetching import Fetching, Image
from tasks.pipelines.gateways.containers.docker.follow import ContainerFollower
from tasks.pipelines.gateways.containers.docker.networks import Networks
from tasks.pipelines.gateways.containers.docker.place import Place
from tasks.pipelines.gateways.containers.waiting import Stopped, Waiting
from tasks.pipelines.gateways.sandbox import SandboxFailed, SandboxUnavailable, StepCommand, StepOutcome
from tasks.pipelines.gateways.sandbox.base import (
    OnOutput,
    ShouldStop,
    check_environment,
    locate_working_directory,
)
from tasks.pipelines.gateways.sandbox.scratch import Scratch, give_all_to

STEP_UID: Final = 1000


@dataclass(slots=True)
class StepSandbox:
    """Runs each step in a container of its image. Safe for steps that run at once."""

    name: str
    facts: Mapping[str, str]
    place: Place
    owner: Owner
    networks: Networks
    fetching: Fetching

    def workspace_path(self, _workspace: Path, /) -> PurePosixPath:
        """The same for every workspace."""
        return WORKSPACE

    def bring_back(self) -> None:
        """It is here: containers work on this machine's folders."""

    def send_again(self) -> None:
        """It is there."""

    def run(self, command: StepCommand, on_output: OnOutput, should_stop: ShouldStop) -> StepOutcome:
        """Run a step to its end; see Sandbox.run."""
        check_environment(command.environment)
        directory = locate_working_directory(command.workspace, command.working_directory)
        inside = WORKSPACE / directory.relative_to(command.workspace.resolve())
        if command.image is None:
            raise SandboxUnavailable("A step that runs in a container needs an image.")
        waiting = Waiting(should_stop, command.limits.seconds)
        try:
            image = self.fetching.fetch(command.image, waiting, on_output)
            waiting.seconds = float("inf")
            scratch = Scratch.make(self.place.scratch, command.script)
            try:
                body = self._body(command, image, inside, scratch)
                return self._run(command, body, scratch, waiting, on_output)
            finally:
                scratch.remove()
        except Stopped as stopped:
            return StepOutcome(stopped.ended, None, None, stopped.seconds, None, None, self.name)

    def _run(
        self, command: StepCommand, body: Body, scratch: Scratch, waiting: Waiting, on_output: OnOutput
    ) -> StepOutcome:
        held = f"cgroup{self.place.facts.cgroup}" if self.place.facts.cgroup else "rlimits"
        engine = self.place.connect(waiting)
        try:
            with self._made(engine, body, waiting) as container:
                self.networks.join(engine, container, command.network)
                attached = Attached(self.place.address, engine, container, waiting)
                try:
                    engine.call("POST", f"/containers/{container}/start")
                    waiting.patient = True
                    follower = ContainerFollower(command, engine, container, scratch)
                    return follower.run(attached, on_output, waiting.should_stop, f"{self.name}+{held}")
                finally:
                    attached.close()
        finally:
            engine.close()

    def _body(self, command: StepCommand, image: Image, inside: PurePosixPath, scratch: Scratch) -> Body:
        volumes = {target: scratch.make_folder(f"volume{number}") for number, target in enumerate(image.volumes)}
        user = self._hand_over(command.workspace, scratch)
        mounts = step_mounts(command, scratch, volumes, self.place.seen, self.place.extra_read_only)
        networks = self.networks.of_step(outside=command.network)
        return step_body(command, image.name, inside, user, mounts, networks, self.owner.labels())

    def _hand_over(self, workspace: Path, scratch: Scratch) -> str:
        """Return the user to be. A rootless engine's root is the worker's own user, and so owns what that owns."""
        if self.place.facts.rootless:
            return "0:0"
        uid = os.geteuid()
        if uid == 0:
            uid = self.place.step_uid or STEP_UID
            # Steps outside of containers may have run between, as root: the top alone does not tell.
            give_all_to(uid, workspace, scratch.root)
        return f"{uid}:{uid}"

    @contextmanager
    def _made(self, engine: Engine, body: Body, waiting: Waiting) -> Iterator[str]:
        made = engine.call("POST", "/containers/create", body)
        container = str((made or {}).get("Id", ""))
        if not container:
            raise SandboxFailed("The container engine made no container.")
        try:
            yield container
        finally:
            waiting.patient = True
            with suppress(HeadraceError):
                engine.call("DELETE", f"/containers/{container}", force=1, v=1)
