"""A stage with its containers, on the engine of the tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.pipelines.gateways.containers import ImageRules
from tasks.pipelines.gateways.sandbox import Limits, StepCommand, StepOutcome
from tests.support.containers.benches import make_containers, needs_of
from tests.support.containers.docker_api import DockerApi
from tests.support.containers.image import IMAGE
from tests.support.sandboxes import choose_sandbox

needs_bubblewrap = pytest.mark.skipif(
    choose_sandbox("auto").name != "bubblewrap", reason="the engine of the tests needs bubblewrap"
)


class Stage:
    """A stage on an engine, and what its steps and the engine said."""

    def __init__(self, api: DockerApi, workspace: Path, rules: ImageRules | None = None) -> None:
        self.containers = make_containers(api.address, workspace, rules)
        self.workspace = workspace
        self.said: list[str] = []
        self.heard: list[tuple[str, bytes]] = []

    def run(self, script: str = "true", *services: Any, image: str = IMAGE, **fields: Any) -> StepOutcome:
        """Open the stage, run one step, and close it."""
        limits = Limits(seconds=fields.pop("seconds", 20), memory_bytes=64 << 20, cpus=0.5, processes=20)
        should_stop = fields.pop("should_stop", lambda: False)
        command = StepCommand(script, self.workspace, ".", {"TOKEN": "s3cret"}, limits, False, image=image)
        with self.containers.open_stage(needs_of(self.workspace, *services), lambda: None, self.said.append) as box:
            return box.run(replace(command, **fields), lambda *heard: self.heard.append(heard), should_stop)
