"""Sandboxes in pods, for the tests that every sandbox passes: on an API server in memory whose pods really run."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import Object, ObjectNotFound, RestCluster, kinds
from tasks.pipelines.gateways.containers import ImageRules, Owner, PodContainers, PodRules, Shape, Site, StageNeeds
from tasks.pipelines.gateways.sandbox import Limits, StepCommand, StepOutcome, remove_tree
from tasks.pipelines.gateways.sandbox.base import OnOutput, ShouldStop
from tasks.pipelines.gateways.sandbox.cgroups import find_control_groups
from tests.support.containers.image import IMAGE
from tests.support.kubernetes import ApiServer, Kubelet, serving

KIND = "kubernetes in memory"
INSTALLATION = "tests"
LOOPBACK = AddressRules(allow_loopback=True)
RULES = PodRules(LOOPBACK, IMAGE, start_seconds=20.0, step_uid=1000)


@contextmanager
def pods_running(**fields: Any) -> Iterator[ApiServer]:
    """Run an API server whose pods run, and have the image of the tests."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-pods-"))
    folder.chmod(0o711)
    try:
        with serving(Kubelet(folder, find_control_groups(), **{"images": {IMAGE}, **fields})) as server:
            yield server
    finally:
        remove_tree(folder)


@dataclass
class Ground:
    """A server and a namespace on it, where stages are opened."""

    server: ApiServer
    workspace: Path
    rules: ImageRules = field(default_factory=ImageRules)
    pods: PodRules = RULES
    namespace: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:12]}")
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = RestCluster(self.server.access(), rules=LOOPBACK)
        self.cluster.create(kinds.NAMESPACE, {"metadata": {"name": self.namespace}})
        self.server.controllers.settle()

    @property
    def containers(self) -> PodContainers:
        """What opens stages."""
        return PodContainers(installation=INSTALLATION, rules=self.rules, pods=self.pods)

    @property
    def site(self) -> Site:
        """The place of the workspace."""
        return Site("cluster", self.namespace, self.server.access())

    def needs(self, *services: Any, **fields: Any) -> StageNeeds:
        """Return what a stage needs: one step of the tests' image, unless something else is said."""
        owner = Owner(INSTALLATION, str(uuid.uuid4()), 1, "execution", "stage")
        limits = Limits(60, memory_bytes=256 << 20, disk_bytes=1 << 30)
        given: dict[str, Any] = {"shapes": (Shape(IMAGE),), "seconds": 60.0, "site": self.site, **fields}
        return StageNeeds(owner, self.workspace, services=services, service_limits=limits, **given)

    def pod_list(self) -> list[Object]:
        """The pods that are there."""
        return list(self.cluster.list_page(kinds.POD, self.namespace).items)

    def has_pod(self, name: str) -> bool:
        """Tell whether a pod is there."""
        try:
            return bool(self.cluster.get(kinds.POD, name, self.namespace))
        except ObjectNotFound:
            return False

    def close(self) -> None:
        """End the connection."""
        self.cluster.close()


@dataclass
class PodSandboxOfEach:
    """Opens a stage for each step, so that what a step has made is there when it has ended."""

    ground: Ground
    name: str = "kubernetes"
    facts: dict[str, str] = field(default_factory=dict)

    def workspace_path(self, _workspace: Path, /) -> PurePosixPath:
        """Where steps see theirs."""
        return PodContainers.workspace

    def run(self, command: StepCommand, on_output: OnOutput, should_stop: ShouldStop) -> StepOutcome:
        """Run a step in a stage of its own."""
        shape = Shape(command.image or "", command.limits.cpus, command.limits.memory_bytes)
        limits = replace(command.limits, seconds=60.0)
        needs = replace(self.ground.needs(shapes=(shape,)), service_limits=limits, network=command.network)
        with self.ground.containers.open_stage(needs, lambda: None, self.ground.said.append) as sandbox:
            return sandbox.run(command, on_output, should_stop)
