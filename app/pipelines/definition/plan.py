"""A plan: one run of a definition, frozen. Matrices are multiplied out, and every inherited setting is spelled out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from app.pipelines.definition.codec import canonical_json, digest_of, from_plain, to_plain
from app.pipelines.definition.conditions import with_state
from app.pipelines.definition.expansion import variable_name
from app.pipelines.definition.matrix import Cell, cell_name
from app.pipelines.definition.model import (
    Approval,
    Artifact,
    Cache,
    Concurrency,
    Definition,
    DeploysTo,
    Environment,
    Limits,
    Reports,
    Service,
    Stage,
    Step,
)

MAX_PLANNED_STAGES: Final = 512
MAX_PLAN_SIZE: Final = 4 * 1024 * 1024
"""Characters of canonical JSON: a matrix repeats its stage's scripts in every cell."""


class PlanCorrupt(ValueError):
    """The stored plan is not the one its digest was made of."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The pull request a run is of: its number, the branch it comes from, and the branch it is to go to."""

    number: int
    branch: str
    base_branch: str


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run adds to its definition. `commit_sha` is None when the newest commit of the branch or tag is wanted.

    `shared` are the variables of the workspace, `variables` those given at the start.
    """

    execution_id: str
    pipeline: str
    workspace_id: str
    repository_url: str
    branch: str | None
    trigger: str
    commit_sha: str | None = None
    tag: str | None = None
    pull_request: PullRequest | None = None
    shared: Environment = field(default_factory=dict)
    variables: Environment = field(default_factory=dict)

    @classmethod
    def blank(cls, pipeline: str | None) -> Self:
        """The context of no run, for a plan that is only looked at."""
        return cls("", pipeline or "", "", "", None, "manual")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step. A shell step has either `script`, text for a shell, or `argv`, a program run without one.

    Of its secrets it has the names.
    """

    name: str
    step_type: str
    continue_on_error: bool
    timeout: int
    retry_count: int
    network: bool
    condition: str | None = None
    script: str | None = None
    argv: tuple[str, ...] = ()
    environment: Environment = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    working_directory: str = "."
    limits: Limits = field(default_factory=Limits)
    config: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One cell of one stage; `stage` is its name in the definition, `depends_on` names planned stages."""

    name: str
    stage: str
    parallel: bool
    timeout: int
    retry_count: int
    continue_on_error: bool
    steps: tuple[PlannedStep, ...]
    depends_on: tuple[str, ...] = ()
    description: str | None = None
    condition: str | None = None
    environment: Environment = field(default_factory=dict)
    matrix: Environment = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    reports: Reports | None = None
    approval: Approval | None = None
    deploys_to: DeploysTo | None = None
    cache: tuple[Cache, ...] | None = None
    services: tuple[Service, ...] | None = None
    node_selector: Environment | None = None
    runs_on: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Included:
    """A file whose stages are in a plan, as it was at the run's commit."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Timeouts are seconds; `digest` is the SHA-256 of the canonical JSON of all the rest.

    A plan whose definition includes files has no stages until they are read: it is `pending`, the definition.
    """

    execution_id: str
    pipeline: str
    workspace_id: str
    repository_url: str
    trigger: str
    timeout: int
    stages: tuple[PlannedStage, ...]
    branch: str | None = None
    commit_sha: str | None = None
    tag: str | None = None
    pull_request: PullRequest | None = None
    environment: Environment = field(default_factory=dict)
    concurrency: Concurrency | None = None
    pending: Mapping[str, Any] | None = None
    included: tuple[Included, ...] | None = None
    version: int = 1

    @property
    def digest(self) -> str:
        return digest_of(to_plain(self))

    def to_json(self) -> dict[str, Any]:
        plain = to_plain(self)
        return {**plain, "digest": digest_of(plain)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read back a stored plan. Raises PlanCorrupt when it is not what it was."""
        plan: Self = from_plain(cls, plain)
        if plan.digest != plain.get("digest"):
            raise PlanCorrupt(f"the plan of execution {plan.execution_id} has changed since it was made")
        return plan

    def stage(self, name: str) -> PlannedStage:
        """The planned stage of that name. Raises KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def environment_of(self, stage: PlannedStage, step: PlannedStep | None = None) -> dict[str, str]:
        """What the definition and the start give a stage, or one of its steps: all but the built-in variables."""
        own = step.environment if step else {}
        matrix = {variable_name(f"matrix.{axis}"): value for axis, value in stage.matrix.items()}
        return {**self.environment, **stage.environment, **own, **matrix}


def make_plan(definition: Definition, run: RunContext) -> Plan:
    """Freeze `definition` for one run."""
    return Plan(
        execution_id=run.execution_id,
        pipeline=run.pipeline,
        workspace_id=run.workspace_id,
        repository_url=run.repository_url,
        branch=run.branch,
        commit_sha=run.commit_sha,
        tag=run.tag,
        pull_request=run.pull_request,
        trigger=run.trigger,
        timeout=definition.timeout,
        concurrency=definition.concurrency,
        environment={**run.shared, **definition.environment, **run.variables},
        stages=() if definition.include else tuple(_plan_stages(definition)),
        pending=definition.to_json() if definition.include else None,
    )


def complete_plan(plan: Plan, merged: Definition, included: tuple[Included, ...]) -> Plan:
    """Freeze a pending plan anew, with the stages of all files."""
    return replace(plan, stages=tuple(_plan_stages(merged)), pending=None, included=included)


def planned_names(stage: Stage) -> list[str]:
    """The names of the stages that `stage` becomes."""
    return [cell_name(stage.name, cell) for cell in stage.matrix.cells()] if stage.matrix else [stage.name]


def estimate_size(definition: Definition) -> int:
    """About how many characters of JSON the matrices make of a plan: each cell repeats its steps and what it needs."""
    names = {stage.name: planned_names(stage) for stage in definition.stages}
    lengths = {name: sum(len(each) + 3 for each in cells) for name, cells in names.items()}
    return sum(
        len(names[stage.name])
        * (len(canonical_json(to_plain(stage.steps))) + sum(lengths[needed] for needed in stage.depends_on))
        for stage in definition.stages
        if stage.matrix
    )


def _plan_stages(definition: Definition) -> Iterator[PlannedStage]:
    names = {stage.name: planned_names(stage) for stage in definition.stages}
    for stage in definition.stages:
        needed = tuple(name for other in stage.depends_on for name in names[other])
        cells: list[dict[str, str]] = stage.matrix.cells() if stage.matrix else [{}]
        for name, cell in zip(names[stage.name], cells, strict=True):
            yield _plan_stage(definition, stage, name, cell, needed)


def _plan_stage(definition: Definition, stage: Stage, name: str, cell: Cell, needed: tuple[str, ...]) -> PlannedStage:
    timeout = min(stage.timeout or definition.timeout, definition.timeout)
    return PlannedStage(
        name=name,
        stage=stage.name,
        description=stage.description,
        depends_on=needed,
        condition=with_state(stage.when, stage.condition),
        parallel=stage.parallel,
        environment=stage.environment,
        matrix=cell,
        timeout=timeout,
        retry_count=definition.retry_count if stage.retry_count is None else stage.retry_count,
        continue_on_error=stage.continue_on_error,
        artifacts=stage.artifacts,
        reports=stage.reports,
        approval=stage.approval,
        deploys_to=stage.deploys_to,
        cache=stage.cache,
        services=stage.services,
        node_selector=stage.node_selector,
        runs_on=stage.runs_on,
        steps=tuple(_plan_step(stage, step, timeout) for step in stage.steps),
    )


def _plan_step(stage: Stage, step: Step, timeout: int) -> PlannedStep:
    return PlannedStep(
        name=step.name,
        step_type=step.step_type,
        condition=with_state(step.when, step.condition),
        continue_on_error=step.continue_on_error,
        timeout=min(step.timeout or timeout, timeout),
        retry_count=step.retry_count,
        script=step.run,
        argv=(step.command, *(step.args or ())) if step.command else (),
        environment=step.environment,
        secrets=step.secrets,
        working_directory=step.working_directory,
        network=stage.network if step.network is None else step.network,
        limits=step.limits,
        config=step.config,
        image=step.image or stage.image,
    )
