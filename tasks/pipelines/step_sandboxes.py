"""The sandboxes of one attempt of a stage: the worker's own, and containers for steps with an image.

Containers are opened, with the services of the stage, when the first step needs them: what there is to tell of them,
and why they could not be had, stands in its log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import PurePosixPath
from threading import Lock
from types import TracebackType

from app.kernel.tracing import span
from app.pipelines.definition import PlannedStep, expand, stage_variables
from app.pipelines.definition import Service as PlannedService
from tasks.pipelines.gateways.containers import (
    Containers,
    Owner,
    Service,
    ServiceFailed,
    Shape,
    StageNeeds,
    StageSandbox,
)
from tasks.pipelines.gateways.sandbox import Sandbox, SandboxUnavailable
from tasks.pipelines.outcomes import limits_of
from tasks.pipelines.stage_work import StageWork
from tasks.pipelines.workplace import Workplace

WAIT_SECONDS = 0.1
NONE_HERE = "It names an image, and this installation has no container sandbox."
NOT_AT_ONCE = (
    "Steps that run at once must all have an image, or none, where images run in pods: they have no common disk."
)


class StepSandboxes:
    """Gives each step its sandbox; leaving the block takes away what was opened. Safe for steps that run at once."""

    def __init__(self, work: StageWork, place: Workplace, time_is_up: Callable[[], bool]) -> None:
        self._run = work.run
        self._tools = work.bench
        self._briefing = work.briefing
        self._find_site = work.find_site
        self._place = place
        self._time_is_up = time_is_up
        self._lock = Lock()
        self._opened = ExitStack()
        self._is_opening = False
        self._containers: StageSandbox | None = None

    def __enter__(self) -> StepSandboxes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def image_of(self, step: PlannedStep) -> str | None:
        """Return the image of a step as it is written, or None where it runs in none."""
        return step.image or self._tools.steps.image or None

    def seen_at(self, step: PlannedStep) -> PurePosixPath:
        """Return the path at which a step sees the workspace; raises SandboxUnavailable."""
        if self.image_of(step) is None:
            return self._tools.sandbox.workspace_path(self._place.root)
        return self._engine().workspace

    def open_for(self, step: PlannedStep, say: Callable[[str], None]) -> Sandbox:
        """Return the sandbox of a step, opened if it is the first that needs it; raises what opening it raises."""
        self._refuse_apart()
        while not self._lock.acquire(timeout=WAIT_SECONDS):
            self._keep()
        try:
            if self.image_of(step) is None:
                return self._here()
            if self._containers is None:
                self._containers = self._open(say)
            return self._containers
        finally:
            self._lock.release()

    def _here(self) -> Sandbox:
        """The worker's own sandbox, with the workspace as steps elsewhere have left it."""
        if self._containers is not None:
            self._containers.bring_back()
            self._containers.send_again()
        return self._tools.sandbox

    def _refuse_apart(self) -> None:
        planned, engine = self._briefing.planned, self._tools.containers
        mixed = len({self.image_of(step) is None for step in planned.steps}) > 1
        if mixed and planned.parallel and engine is not None and engine.on_clusters:
            raise SandboxUnavailable(NOT_AT_ONCE)

    def _engine(self) -> Containers:
        if self._tools.containers is None:
            raise SandboxUnavailable(NONE_HERE)
        return self._tools.containers

    def _open(self, say: Callable[[str], None]) -> StageSandbox:
        needs = self._needs()
        self._is_opening = True
        with span("open containers", stage=self._briefing.planned.name, services=len(needs.services)):
            opened = self._opened.enter_context(self._engine().open_stage(needs, self._keep, say))
        self._is_opening = False
        return opened

    def _keep(self) -> None:
        self._run.check()
        if self._is_opening and self._time_is_up():
            raise ServiceFailed("The stage's time was up before its services were ready.")

    def _needs(self) -> StageNeeds:
        told = self._briefing
        variables = stage_variables(told.plan, told.planned, commit_sha=told.commit_sha, attempt=told.attempt)
        boxed = [step for step in told.planned.steps if self.image_of(step)]
        return StageNeeds(
            owner=self._owner(),
            workspace=self._place.root,
            shapes=tuple(self._shape_of(step, variables) for step in boxed),
            services=tuple(_service(one, variables) for one in told.planned.services or ()),
            service_limits=self._tools.steps.limits,
            seconds=told.planned.timeout,
            at_once=told.planned.parallel,
            node_selector=told.planned.node_selector or {},
            network=self._tools.steps.network and any(step.network for step in boxed),
            site=self._find_site() if self._engine().on_clusters and self._find_site else None,
        )

    def _shape_of(self, step: PlannedStep, variables: Mapping[str, str]) -> Shape:
        told = self._briefing
        own = told.plan.environment_of(told.planned, step) | {"CI_STEP": step.name}
        limits = limits_of(step, self._tools.steps.limits, told.planned.timeout)
        return Shape(expand(self.image_of(step) or "", {**variables, **own}), limits.cpus, limits.memory_bytes)

    def _owner(self) -> Owner:
        return Owner(
            installation=self._tools.installation,
            job=str(self._run.job_id),
            attempt=self._run.attempt,
            execution=str(self._briefing.execution_id),
            stage=str(self._briefing.stage_id),
        )


def _service(planned: PlannedService, variables: Mapping[str, str]) -> Service:
    return Service(
        name=planned.name,
        image=expand(planned.image, variables),
        environment={name: expand(value, variables) for name, value in planned.environment.items()},
        command=planned.command,
        port=planned.port,
        ready=planned.ready,
        seconds=planned.timeout,
    )
