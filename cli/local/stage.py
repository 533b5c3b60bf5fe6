"""One attempt of a stage: a copy of the source, what earlier stages kept, the steps in the sandbox, what is kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from app.kernel.errors import HeadraceError
from app.kernel.ids import new_id
from app.kernel.store import BlobStore
from app.pipelines import NeededArtifact, StepEnd
from app.pipelines.definition import (
    ConditionInvalid,
    PathOutside,
    Plan,
    PlannedStage,
    PlannedStep,
    State,
    expand,
    should_run,
    stage_variables,
    step_variables,
)
from cli.local.output import StepOutput
from cli.local.screen import Row, Screen
from tasks.pipelines.artifacts import collect
from tasks.pipelines.bring_artifacts import bring_artifacts
from tasks.pipelines.gateways.sandbox import Limits, Sandbox, StepCommand, remove_tree
from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH
from tasks.pipelines.outcomes import ends_as, limits_of, script_of, wants_retry
from tasks.pipelines.run_steps import MOST_PARALLEL, NOT_WANTED, SKIPPED, TOO_LATE, StageClock
from tasks.pipelines.secrets import Secrets
from tasks.pipelines.workplace import Workplace

MOST_ARTIFACT_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Ground:
    """What all stages of a run share. `source` is what they get copies of, `home` where those lie."""

    plan: Plan
    sandbox: Sandbox
    secrets: Secrets
    screen: Screen
    source: Path
    home: Path
    store: BlobStore
    limits: Limits
    path: str
    should_stop: Callable[[], bool]


@dataclass(slots=True)
class Ended:
    """How a stage ended, and the files it kept. `rows` are those of its steps."""

    status: str
    reason: str | None = None
    seconds: float | None = None
    rows: list[Row] = field(default_factory=list)
    kept: list[NeededArtifact] = field(default_factory=list)


class StageAttempt:
    """Runs the steps of one attempt, in order or at once."""

    def __init__(self, ground: Ground, stage: PlannedStage, attempt: int, clock: StageClock) -> None:
        self._ground = ground
        self._stage = stage
        self._attempt = attempt
        self._clock = clock
        self._place = Workplace(ground.home / f"{new_id()}")
        self._failed: dict[str, str] = {}
        self._rows: dict[str, Row] = {}

    def run(self, needed: list[NeededArtifact]) -> Ended:
        """Run all steps; what they leave on disk is gone afterwards."""
        began = time.monotonic()
        try:
            shutil.copytree(self._ground.source, self._place.root, symlinks=True)
            self._place.prepare()
            bring_artifacts(self._ground.store, needed, self._place.root)
            self._run_steps()
            kept = self._keep()
        except HeadraceError as error:
            return Ended("failed", error.message, time.monotonic() - began, list(self._rows.values()))
        finally:
            remove_tree(self._place.root)
        status, reason = self._status()
        return Ended(status, reason, time.monotonic() - began, list(self._rows.values()), kept)

    def _status(self) -> tuple[str, str | None]:
        if self._ground.should_stop():
            return "cancelled", None
        if self._clock.is_up():
            return "timed_out", "Its time was up."
        if not self._failed:
            return "succeeded", None
        status = "timed_out" if "timed_out" in self._failed.values() else "failed"
        return status, "Did not succeed: " + ", ".join(self._failed) + "."

    def _run_steps(self) -> None:
        if not self._stage.parallel:
            for step in self._stage.steps:
                self._run_one(step)
            return
        with ThreadPoolExecutor(min(len(self._stage.steps), MOST_PARALLEL)) as pool:
            for ended in [pool.submit(self._run_one, step) for step in self._stage.steps]:
                ended.result()

    def _run_one(self, step: PlannedStep) -> None:
        output = StepOutput(self._ground.screen, self._ground.secrets.masker, self._stage.name, step.name)
        ended = self._refuse(step) or self._run_with_retries(step, output)
        if ended.reason:
            output.say(ended.reason)
        output.close()
        ran = None if ended.status == "skipped" else ended.duration_seconds
        self._rows[step.name] = Row(step.name, ended.status, ran, ended.reason, depth=1)
        if ended.status in ("failed", "timed_out") and not step.continue_on_error:
            self._failed[step.name] = ended.status

    def _refuse(self, step: PlannedStep) -> StepEnd | None:
        state = State(failed=bool(self._failed))
        try:
            wanted = should_run(step.condition, self._variables(step), state)
        except ConditionInvalid as error:
            return StepEnd("failed", f"Its condition cannot be evaluated: {error}.")
        except PathOutside as error:
            return StepEnd("failed", f"Its working directory is not one of the checkout: {error}.")
        if not wanted:
            return SKIPPED if state.failed else NOT_WANTED
        if self._ground.should_stop() or self._clock.is_up():
            return TOO_LATE
        if step.image:
            return StepEnd("failed", f"It needs a container of {step.image}; a local run has none.")
        fault = self._ground.secrets.fault_of(step)
        return StepEnd("failed", "Give its secrets by --secret NAME or --secrets FILE.") if fault else None

    def _run_with_retries(self, step: PlannedStep, output: StepOutput) -> StepEnd:
        for left in range(step.retry_count, -1, -1):
            ended = self._sandboxed(step, output)
            if self._ground.should_stop() or self._clock.is_up() or not wants_retry(ended, left):
                return ended
            output.say(f"{ended.reason} It is tried again.")
        raise AssertionError("a step is run at least once")

    def _sandboxed(self, step: PlannedStep, output: StepOutput) -> StepEnd:
        variables = self._variables(step)
        command = StepCommand(
            script=script_of(step),
            workspace=self._place.root,
            working_directory=self._place.relative(variables["WORKING_DIR"], self._seen_at()),
            environment={"PATH": self._ground.path or SYSTEM_PATH, **variables} | self._ground.secrets.given_to(step),
            limits=limits_of(step, self._ground.limits, self._clock.left()),
            network=step.network,
        )
        try:
            return ends_as(self._ground.sandbox.run(command, output.write, self._ground.should_stop), step)
        except HeadraceError as error:
            return StepEnd("failed", error.message)

    def _variables(self, step: PlannedStep) -> dict[str, str]:
        plan = self._ground.plan
        return step_variables(
            plan,
            self._stage,
            step,
            commit_sha=plan.commit_sha or "",
            attempt=self._attempt,
            directories=self._place.seen_by_steps(self._seen_at()),
        )

    def _seen_at(self) -> PurePosixPath:
        return self._ground.sandbox.workspace_path(self._place.root)

    def _keep(self) -> list[NeededArtifact]:
        variables = stage_variables(self._ground.plan, self._stage, attempt=self._attempt)
        kept: dict[str, NeededArtifact] = {}
        for artifact in self._stage.artifacts:
            globs = [expand(artifact.path, variables)]
            for found in collect(self._place.root, globs, max_bytes=MOST_ARTIFACT_BYTES):
                key = f"kept/{new_id()}"
                self._ground.store.put_file(key, found.path)
                kept[found.name] = NeededArtifact(found.name, key)
        return list(kept.values())


def run_stage(ground: Ground, stage: PlannedStage, needed: list[NeededArtifact], seconds_left: float) -> Ended:
    """Run a stage with its retries; its time is never longer than what is left of the pipeline's."""
    deadline = time.monotonic() + seconds_left
    for attempt in range(1, stage.retry_count + 2):
        clock = StageClock.starting(min(stage.timeout, max(deadline - time.monotonic(), 0.1)))
        ended = StageAttempt(ground, stage, attempt, clock).run(needed)
        if ended.status not in ("failed", "timed_out") or time.monotonic() >= deadline:
            return ended
        if attempt <= stage.retry_count:
            ground.screen.say(f"{stage.name}: {ended.reason} It is run again.")
    return ended
