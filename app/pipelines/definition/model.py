"""A definition that has been read: frozen values, every synonym and unit resolved.

The fields are named as the keys of headrace.yml, so the stored form of a definition is itself a definition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from app.pipelines.definition.codec import from_plain, to_plain
from app.pipelines.definition.language import DEFAULT_APPROVAL, DEFAULT_READY, DEFAULT_RETENTION, DEFAULT_TIMEOUT
from app.pipelines.definition.matrix import Matrix

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TriggerConfig:
    """Which events of a kind count; an empty list of patterns lets all pass."""

    webhook_url: str | None = None
    cron_expression: str | None = None
    timezone: str | None = None
    branch_patterns: tuple[str, ...] = ()
    tag_patterns: tuple[str, ...] = ()
    repository: str | None = None
    events: tuple[str, ...] = ()
    path: str | None = None
    pipeline: str | None = None
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """`trigger_type` is one of manual, webhook, schedule, git_push, pull_request, git_tag, pipeline."""

    trigger_type: str
    config: TriggerConfig = TriggerConfig()


@dataclass(frozen=True, slots=True)
class Target:
    """Someone to tell; `target_type` is one of email, slack, webhook, github."""

    target_type: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notifications:
    on_start: tuple[Target, ...] = ()
    on_success: tuple[Target, ...] = ()
    on_failure: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one step, None where the server's own hold: bytes, processors, count, bytes."""

    memory: int | None = None
    cpus: float | None = None
    processes: int | None = None
    file_size: int | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """Files to keep; `path` is a glob within the checkout, `retention` seconds."""

    path: str
    name: str | None = None
    retention: int = DEFAULT_RETENTION


@dataclass(frozen=True, slots=True)
class Cache:
    """Files to have again in later runs; `policy` is one of pull, push, pull-push."""

    key: str
    paths: tuple[str, ...]
    restore_keys: tuple[str, ...] = ()
    policy: str = "pull-push"


@dataclass(frozen=True, slots=True)
class Reports:
    """Files in which a stage's tools say what they found; `junit` are globs within the checkout."""

    junit: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Approval:
    """Who must let a stage run; `approvers` are names of users and `role:` names, `expires_in` seconds."""

    description: str | None = None
    approvers: tuple[str, ...] = ()
    expires_in: int = DEFAULT_APPROVAL
    not_by_starter: bool = False


@dataclass(frozen=True, slots=True)
class DeploysTo:
    """The environment a stage deploys to, and where what it deploys can be seen."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A container beside a stage's steps, reached by its name; `timeout` is the seconds it has to become ready."""

    name: str
    image: str
    environment: Environment = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    port: int | None = None
    ready: str | None = None
    timeout: int = DEFAULT_READY


@dataclass(frozen=True, slots=True)
class Step:
    """One step. A shell step has either `run`, text for a shell, or `command` and `args`, a program without one.

    `secrets` are names.
    """

    name: str
    step_type: str = "shell"
    condition: str | None = None
    when: str | None = None
    continue_on_error: bool = False
    timeout: int | None = None
    retry_count: int = 0
    run: str | None = None
    command: str | None = None
    args: tuple[str, ...] | None = None
    environment: Environment = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    working_directory: str = "."
    network: bool | None = None
    limits: Limits = Limits()
    config: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; `depends_on` is always spelled out. None means what the pipeline says."""

    name: str
    steps: tuple[Step, ...]
    depends_on: tuple[str, ...] = ()
    description: str | None = None
    condition: str | None = None
    when: str | None = None
    approval: Approval | None = None
    deploys_to: DeploysTo | None = None
    parallel: bool = False
    environment: Environment = field(default_factory=dict)
    timeout: int | None = None
    retry_count: int | None = None
    continue_on_error: bool = False
    network: bool = True
    matrix: Matrix | None = None
    artifacts: tuple[Artifact, ...] = ()
    reports: Reports | None = None
    cache: tuple[Cache, ...] | None = None
    image: str | None = None
    services: tuple[Service, ...] | None = None
    node_selector: Environment | None = None
    runs_on: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Of the runs of a group, which is named after variables are filled in, `limit` go on at once."""

    group: str
    cancel_in_progress: bool = False
    limit: int = 1


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole pipeline. `name` is None when the text gives none; timeouts are seconds."""

    stages: tuple[Stage, ...]
    name: str | None = None
    description: str | None = None
    version: str = "1"
    triggers: tuple[Trigger, ...] = ()
    environment: Environment = field(default_factory=dict)
    timeout: int = DEFAULT_TIMEOUT
    retry_count: int = 0
    concurrency: Concurrency | None = None
    include: tuple[str, ...] | None = None
    notifications: Notifications = Notifications()

    def to_json(self) -> dict[str, Any]:
        """The stored form: a definition in the same language, with every default spelled out."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read back a stored form. It was checked when it was written: input goes through `parse_tree`."""
        definition: Self = from_plain(cls, plain)
        return definition
