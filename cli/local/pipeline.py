"""A run: stages as soon as what they depend on has ended, several at once, until none is left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from app.pipelines import NeededArtifact
from app.pipelines.definition import ConditionInvalid, Plan, PlannedStage, State, should_run, stage_variables
from cli.local.screen import Row
from cli.local.stage import Ended, Ground, run_stage
from cli.problem import Problem

FAILED = ("failed", "timed_out", "cancelled")
ASKS = "It waits for an approval; name it by --stage to run it."
DEPLOYS = "It deploys; name it by --stage to run it."


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which stages to run, all where none is named, and how many at once."""

    stages: frozenset[str] = frozenset()
    at_once: int = 2


@dataclass(slots=True)
class LocalRun:
    """One run of a plan. `ends` has how each stage ended, in the order in which they did."""

    ground: Ground
    wishes: Wishes
    ends: dict[str, Ended] = field(default_factory=dict)
    _blocked: set[str] = field(default_factory=set)

    def run(self) -> bool:
        """Run all that is wanted and tell whether all went well."""
        waiting = {stage.name: stage for stage in wanted_stages(self.ground.plan, self.wishes.stages)}
        order = dict(waiting)
        deadline = time.monotonic() + self.ground.plan.timeout
        running: dict[Future[Ended], str] = {}
        with ThreadPoolExecutor(max(self.wishes.at_once, 1), thread_name_prefix="stage") as pool:
            while waiting or running:
                for stage in self._ready(waiting, order):
                    del waiting[stage.name]
                    if (refused := self._refuse(stage)) is not None:
                        self._end(stage, refused)
                        continue
                    left = max(deadline - time.monotonic(), 0.1)
                    running[pool.submit(run_stage, self.ground, stage, self._needed(stage), left)] = stage.name
                if running:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._end(order[running.pop(future)], future.result())
        return not any(end.status in FAILED and not order[name].continue_on_error for name, end in self.ends.items())

    def rows(self) -> list[Row]:
        """Return the table of the run."""
        rows: list[Row] = []
        for name, end in self.ends.items():
            rows += [Row(name, end.status, end.seconds, end.reason), *end.rows]
        return rows

    def _ready(self, waiting: Mapping[str, PlannedStage], known: Mapping[str, PlannedStage]) -> list[PlannedStage]:
        return [
            stage
            for stage in list(waiting.values())
            if all(name in self.ends or name not in known for name in stage.depends_on)
        ]

    def _refuse(self, stage: PlannedStage) -> Ended | None:
        state = State(failed=any(name in self._blocked for name in stage.depends_on))
        if self.ground.should_stop():
            return Ended("cancelled")
        try:
            if not should_run(stage.condition, stage_variables(self.ground.plan, stage, attempt=1), state):
                reason = "A stage before it failed." if state.failed else "Its condition does not hold."
                if state.failed:
                    self._blocked.add(stage.name)
                return Ended("skipped", reason)
        except ConditionInvalid as error:
            return Ended("failed", f"Its condition cannot be evaluated: {error}.")
        if not {stage.name, stage.stage} & self.wishes.stages and (stage.approval or stage.deploys_to):
            self._blocked.add(stage.name)
            return Ended("skipped", ASKS if stage.approval else DEPLOYS)
        return None

    def _end(self, stage: PlannedStage, ended: Ended) -> None:
        self.ends[stage.name] = ended
        if ended.status in FAILED and not stage.continue_on_error:
            self._blocked.add(stage.name)
        self.ground.screen.say(f"{stage.name}: {ended.status.replace('_', ' ')}")

    def _needed(self, stage: PlannedStage) -> list[NeededArtifact]:
        return [kept for name in stage.depends_on if name in self.ends for kept in self.ends[name].kept]


def wanted_stages(plan: Plan, names: frozenset[str]) -> list[PlannedStage]:
    """Return the named stages and all that they depend on, in the order of the plan; raises Problem."""
    known = {stage.name: stage for stage in plan.stages}
    for name in names:
        if not any(name in (stage.name, stage.stage) for stage in plan.stages):
            raise Problem(f"there is no stage {name!r}; there are: {', '.join(known)}")
    if not names:
        return list(plan.stages)
    found: set[str] = set()
    open_names = [stage.name for stage in plan.stages if {stage.name, stage.stage} & names]
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names += known[name].depends_on
    return [stage for stage in plan.stages if stage.name in found]
