"""The steps of a stage: in order, or at once, each in the sandbox, recorded before and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from uuid import UUID

from app.kernel.context import carried
from app.kernel.errors import HeadraceError, Permanent
from app.kernel.tracing import span
from app.pipelines import StepEnd
from app.pipelines.definition import (
    ConditionInvalid,
    PathOutside,
    PlannedStep,
    State,
    expand,
    should_run,
    step_variables,
)
from tasks.patience import patiently
from tasks.pipelines.bring_artifacts import bring_artifacts
from tasks.pipelines.checkout import checkout
from tasks.pipelines.gateways.sandbox import SandboxUnavailable, StepCommand, StepOutcome
from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH, WorkingDirectoryRefused
from tasks.pipelines.outcomes import ends_as, limits_of, script_of, wants_retry
from tasks.pipelines.stage_work import StageWork
from tasks.pipelines.step_log import StepLog
from tasks.pipelines.step_sandboxes import StepSandboxes
from tasks.pipelines.workplace import Workplace

MOST_PARALLEL = 8
SKIPPED = StepEnd("skipped", "A step before it failed.")
NOT_WANTED = StepEnd("skipped", "Its condition does not hold.")
TOO_LATE = StepEnd("skipped", "The stage's time was up.")


@dataclass(frozen=True, slots=True)
class StageClock:
    """When the stage must have ended, on this process's monotonic clock."""

    deadline: float

    @classmethod
    def starting(cls, seconds: float) -> StageClock:
        """Return a clock with so many seconds left."""
        return cls(time.monotonic() + seconds)

    def is_up(self) -> bool:
        """Tell whether the time is up."""
        return time.monotonic() >= self.deadline

    def left(self) -> float:
        """Return the seconds until then, never below a tenth."""
        return max(self.deadline - time.monotonic(), 0.1)


class StepRunner:
    """Runs the steps of one attempt of a stage. What failed, and mattered, is in `failed`: step name to status.

    `out_of_time` is set when the stage's clock stopped a step, or kept one from running.
    """

    def __init__(self, work: StageWork, place: Workplace, clock: StageClock) -> None:
        self._run = work.run
        self._bench = work.bench
        self._recorder = work.recorder
        self._briefing = work.briefing
        self._secrets = work.secrets
        self._place = place
        self._clock = clock
        self._sandboxes = StepSandboxes(work, place, clock.is_up)
        self._lock = Lock()
        self.failed: dict[str, str] = {}
        self.out_of_time = False
        self._notes: list[str] = []

    def checkout(self) -> None:
        """Bring the source and what the needed stages kept; what there is to say of it opens the first step's log."""
        self._recorder.progress(phase="checkout", message=f"checking out {self._briefing.commit_sha[:8]}")
        with span("checkout", commit=self._briefing.commit_sha):
            self._notes = checkout(
                self._run, self._bench.source, self._briefing, self._secrets.login(), self._place, self._clock.left()
            )
        if needed := self._briefing.needed_artifacts:
            with span("bring artifacts", artifacts=len(needed)):
                bring_artifacts(self._recorder, needed, self._place.root)

    def note(self, lines: list[str]) -> None:
        """Say something more at the beginning of the first step's log."""
        self._notes += lines

    def run_all(self) -> dict[str, str]:
        """Run all steps and return those that failed the stage."""
        with self._sandboxes:
            return self._run_all()

    def _run_all(self) -> dict[str, str]:
        steps = self._briefing.planned.steps
        if not self._briefing.planned.parallel:
            for step in steps:
                self.run_one(step)
            return self.failed
        with ThreadPoolExecutor(min(len(steps), MOST_PARALLEL), thread_name_prefix="step") as pool:
            for ended in [pool.submit(carried(self.run_one), step) for step in steps]:
                ended.result()
        return self.failed

    def run_one(self, step: PlannedStep) -> None:
        """Run one step, with its retries, unless its condition, an earlier failure or the clock keeps it from it."""
        self._run.check()
        ended = self._refuse(step)
        if ended is None:
            ended = self._run_with_retries(step)
        if ended.status in ("failed", "timed_out") and not step.continue_on_error:
            with self._lock:
                self.failed[step.name] = ended.status

    def _refuse(self, step: PlannedStep) -> StepEnd | None:
        ended = self._judge(step, State(failed=bool(self.failed)))
        if ended is not None:
            self._record(step, ended)
        return ended

    def _judge(self, step: PlannedStep, state: State) -> StepEnd | None:
        try:
            variables = {} if step.condition is None else self._variables(step, attempt=1)
            wanted = should_run(step.condition, variables, state)
        except ConditionInvalid as error:
            return StepEnd("failed", f"Its condition cannot be evaluated: {error}.")
        except (WorkingDirectoryRefused, SandboxUnavailable) as error:
            return StepEnd("failed", error.message)
        if not wanted:
            return SKIPPED if state.failed else NOT_WANTED
        if self._is_late():
            return TOO_LATE
        fault = self._secrets.fault_of(step)
        return StepEnd("failed", fault) if fault else None

    def _is_late(self) -> bool:
        self.out_of_time = self.out_of_time or self._clock.is_up()
        return self.out_of_time

    def _run_with_retries(self, step: PlannedStep) -> StepEnd:
        for left in range(step.retry_count, -1, -1):
            with span("step", stage=self._briefing.planned.name, step=step.name) as told:
                attempt = patiently(self._run, partial(self._recorder.start_step, self._step_id(step)))
                ended = self._run_attempt(step, attempt)
                again = wants_retry(ended, left) and not self._is_late()
                self._record(step, ended, again=again)
                told.note(step_attempt=attempt, status=ended.status, exit_code=ended.exit_code)
            if not again:
                return ended
        raise AssertionError("a step is run at least once")

    def _run_attempt(self, step: PlannedStep, attempt: int) -> StepEnd:
        with StepLog(self._run, self._recorder, self._secrets.masker, self._step_id(step), attempt) as log:
            self._open_log(log)
            try:
                outcome = self._sandboxed(step, attempt, log)
            except HeadraceError as error:
                log.say(error.message)
                if not isinstance(error, Permanent):
                    raise
                return StepEnd("failed", error.message)
            self._run.check()
            ended = ends_as(outcome, step)
            if ended.status == "timed_out" and self._is_late():
                ended = replace(ended, reason="Stopped: the stage's time was up.")
            if ended.reason:
                log.say(ended.reason)
            return ended

    def _open_log(self, log: StepLog) -> None:
        with self._lock:
            notes, self._notes = self._notes, []
        for note in notes:
            log.say(note)

    def _sandboxed(self, step: PlannedStep, attempt: int, log: StepLog) -> StepOutcome:
        variables = self._variables(step, attempt)
        image = self._sandboxes.image_of(step)
        sandbox = self._sandboxes.open_for(step, log.say)
        command = StepCommand(
            script=script_of(step),
            workspace=self._place.root,
            working_directory=self._place.relative(variables["WORKING_DIR"], self._sandboxes.seen_at(step)),
            environment=(variables if image else self._with_path(variables)) | self._secrets.given_to(step),
            limits=limits_of(step, self._bench.steps.limits, self._clock.left()),
            network=step.network and self._bench.steps.network,
            image=expand(image, variables) if image else None,
        )
        return sandbox.run(command, log.hear, self._watch(log))

    def _watch(self, log: StepLog) -> Callable[[], bool]:
        def should_stop() -> bool:
            log.flush_if_due()
            return self._run.should_stop()

        return should_stop

    def _variables(self, step: PlannedStep, attempt: int) -> dict[str, str]:
        try:
            return step_variables(
                self._briefing.plan,
                self._briefing.planned,
                step,
                commit_sha=self._briefing.commit_sha,
                attempt=attempt,
                directories=self._place.seen_by_steps(self._sandboxes.seen_at(step)),
            )
        except PathOutside as error:
            raise WorkingDirectoryRefused(f"Its working directory is not one of the checkout: {error}.") from error

    def _with_path(self, variables: dict[str, str]) -> dict[str, str]:
        added = self._bench.steps.path
        return {"PATH": f"{added}:{SYSTEM_PATH}" if added else SYSTEM_PATH, **variables}

    def _step_id(self, step: PlannedStep) -> UUID:
        return self._briefing.steps[step.name]

    def _record(self, step: PlannedStep, ended: StepEnd, *, again: bool = False) -> None:
        shown = replace(ended, reason=self._secrets.hide(ended.reason)) if ended.reason else ended
        patiently(self._run, partial(self._recorder.finish_step, self._step_id(step), shown, again=again))
