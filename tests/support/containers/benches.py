"""Sandboxes in containers, for the tests that every sandbox passes."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from tasks.pipelines.gateways.containers import DockerContainers, ImageRules, Owner, Service, Shape, StageNeeds
from tasks.pipelines.gateways.sandbox import Limits, Sandbox
from tasks.pipelines.gateways.sandbox.cgroups import find_control_groups
from tasks.pipelines.gateways.sandbox.choose import choose_sandbox
from tests.support.containers import engines
from tests.support.containers.docker_api import serving
from tests.support.containers.image import IMAGE, PROGRAMS

FAKE = "docker api"
INSTALLATION = "tests"


def kinds() -> list[str]:
    """The kinds of container sandbox that can be tried here: the server of the tests, and real engines."""
    return [FAKE, *engines.kinds()]


class Engines:
    """Starts each engine when it is first needed; all end with the block."""

    def __init__(self, opened: ExitStack) -> None:
        self._opened = opened
        self._address = cache(self._start)

    def address(self, kind: str) -> str:
        """Where an engine listens; skips the test where it does not work."""
        return self._address(kind)

    def _start(self, kind: str) -> str:
        if kind != FAKE:
            return self._opened.enter_context(engines.running(kind))
        if choose_sandbox("auto").name != "bubblewrap":
            pytest.skip("the engine of the tests needs bubblewrap")
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="headrace-engine-")))
        return self._opened.enter_context(serving(folder, find_control_groups(), images={IMAGE})).address


@contextmanager
def all_engines() -> Iterator[Engines]:
    """Give engines that are started when they are needed."""
    with ExitStack() as opened:
        yield Engines(opened)


def let_others_pass(folder: Path) -> None:
    """Let users whom steps become reach what lies in a folder of a test."""
    for one in (folder, *folder.parents[:-2]):
        if one.stat().st_uid == os.geteuid():
            one.chmod(one.stat().st_mode | 0o111)


def make_containers(address: str, workspaces: Path, rules: ImageRules | None = None) -> DockerContainers:
    """Return an engine's containers, which see this machine's programs."""
    given = rules or ImageRules(pull="never")
    return DockerContainers(
        address, installation=INSTALLATION, rules=given, workspaces=workspaces, extra_read_only=[PROGRAMS]
    )


def needs_of(workspace: Path, *services: Service, image: str = IMAGE, job: str | None = None) -> StageNeeds:
    """Return what a stage needs."""
    owner = Owner(INSTALLATION, job or str(uuid.uuid4()), 1, "execution", "stage")
    limits = Limits(60, memory_bytes=512 << 20, processes=64)
    return StageNeeds(owner, workspace, (Shape(image),), services, limits, 60)


def service_of(name: str, *command: str, image: str = IMAGE, **fields: object) -> Service:
    """Return a service."""
    given = {"environment": {}, "port": None, "ready": None, "seconds": 20.0, **fields}
    return Service(name=name, image=image, command=command, **given)  # type: ignore[arg-type]


@contextmanager
def opened(address: str, workspace: Path) -> Iterator[Sandbox]:
    """Open a stage without services, in a workspace that other users reach."""
    let_others_pass(workspace.parent)
    containers = make_containers(address, workspace.parent)
    with containers.open_stage(needs_of(workspace), lambda: None, lambda _: None) as sandbox:
        yield sandbox
