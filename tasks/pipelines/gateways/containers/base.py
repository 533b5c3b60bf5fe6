"""What runs steps in containers: a stage is opened with its services, and gives a sandbox for its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from app.clusters import Access
from app.kernel.errors import Permanent, Transient
from tasks.pipelines.gateways.sandbox import Limits, Sandbox

Pull = Literal["if-missing", "always", "never"]
Say = Callable[[str], None]
Check = Callable[[], None]
"""Called at least every quarter second of waiting; what it raises ends the waiting and passes through."""

INSTALLATION, JOB, ATTEMPT = "headrace.installation", "headrace.job", "headrace.attempt"
EXECUTION, STAGE = "headrace.execution", "headrace.stage"


class ContainersUnavailable(Transient):
    """The container engine cannot be reached now."""

    code = "CONTAINERS_UNAVAILABLE"


class ContainerRefused(Permanent):
    """The container engine refused what was asked of it."""

    code = "CONTAINER_REFUSED"


class ImageRefused(Permanent):
    """This image is not one that may be used here."""

    code = "IMAGE_REFUSED"


class ImageUnavailable(Permanent):
    """The image cannot be had."""

    code = "IMAGE_UNAVAILABLE"


class ServiceFailed(Permanent):
    """A service of the stage did not become ready."""

    code = "SERVICE_FAILED"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose containers these are: written on everything that is made, so that what a killed worker left is found."""

    installation: str
    job: str
    attempt: int
    execution: str
    stage: str

    def labels(self) -> dict[str, str]:
        """Return what is written on everything."""
        return {
            INSTALLATION: self.installation,
            JOB: self.job,
            ATTEMPT: str(self.attempt),
            EXECUTION: self.execution,
            STAGE: self.stage,
        }


@dataclass(frozen=True, slots=True)
class Service:
    """A container beside the steps, reached by its `name`; `seconds` is how long it may take to become ready.

    Its environment may hold what others must not see, so it is not shown with the rest.
    """

    name: str
    image: str
    environment: Mapping[str, str] = field(repr=False)
    command: tuple[str, ...] | None
    port: int | None
    ready: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster, what opens it, and on it the namespace of a workspace; None where all of them are meant."""

    cluster: str
    namespace: str | None
    access: Access = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a step's container has to be like: its image, processors and bytes of memory."""

    image: str
    cpus: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class StageNeeds:
    """What is to be there while a stage's steps run. `shapes` has one for each step with an image, which may all run
    `at_once`, and have a `network` or none; `node_selector` are labels that a node must have. Where containers run on
    a cluster, `site` is the place of the stage's workspace.
    """

    owner: Owner
    workspace: Path
    shapes: tuple[Shape, ...]
    services: tuple[Service, ...]
    service_limits: Limits
    seconds: float
    at_once: bool = False
    network: bool = False
    node_selector: Mapping[str, str] = field(default_factory=dict)
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Something that carries our labels: `kind` and `name` say what, the rest whose it is, and `site` where."""

    kind: str
    name: str
    job: str
    attempt: int
    site: Site | None = None


class StageSandbox(Sandbox, Protocol):
    """The sandbox of a stage's steps with images."""

    def bring_back(self) -> None:
        """See to it that the workspace on this machine is what the steps have made of it: a sandbox elsewhere works on
        a copy. It is done at the end of a stage as well. Raises what `open_stage` does."""
        ...

    def send_again(self) -> None:
        """Say that the workspace on this machine has changed since, by steps without an image."""
        ...


class Containers(Protocol):
    """Where containers run. `facts` tells a health page what it is, `workspace` where steps see theirs; one that is
    `on_clusters` is where the workspace of a stage has its place, and needs to be told."""

    facts: Mapping[str, str]
    workspace: PurePosixPath
    on_clusters: bool

    def open_stage(self, needs: StageNeeds, check: Check, say: Say) -> AbstractContextManager[StageSandbox]:
        """Start the services, wait until they are ready, and give a sandbox for the steps, of which each names an
        image; when the block is left nothing of the stage is there any more. `say` hears what is worth telling.

        Raises ContainersUnavailable, ContainerRefused, ImageRefused, ImageUnavailable or ServiceFailed.
        """
        ...

    def find_left(self, sites: Iterable[Site]) -> Iterable[Left]:
        """Return everything that carries this installation's labels, on these clusters if it is on any; one that does
        not answer is passed over. Raises ContainersUnavailable."""
        ...

    def remove(self, left: Left) -> None:
        """Take one of them away; that it has gone meanwhile is no error."""
        ...
