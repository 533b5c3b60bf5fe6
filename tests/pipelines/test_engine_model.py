"""The engine against a model of it: any graph of stages, done in any order, ends as the rules of the language say."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.jobs import QUEUED, Job
from tasks.pipelines.gateways.base import Checkout, CheckoutRequest
from tasks.pipelines.gateways.sandbox import StepCommand, StepOutcome
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.work import make_runtime

COMMIT = "0123456789012345678901234567890123456789"
BRANCH = "main"

_numbers = count(1)


class NoSource:
    """A source whose every branch stands for one empty commit."""

    def resolve(self, *_: Any) -> str:
        return COMMIT

    def checkout(self, request: CheckoutRequest, *_: Any) -> Checkout:
        (request.into / ".git").mkdir()
        return Checkout(COMMIT, request.branch, "Nothing", "Nobody <nobody@example.com>")


class CountingSandbox:
    """A sandbox whose scripts are numbers: so many times a step fails before it succeeds."""

    name = "counting"
    facts: Mapping[str, str] = {}

    def workspace_path(self, *_: Any) -> PurePosixPath:
        return PurePosixPath("/workspace")

    def run(self, command: StepCommand, *_: Any) -> StepOutcome:
        failed = int(command.environment["CI_ATTEMPT"]) <= int(command.script)
        return StepOutcome("exited", int(failed), None, 0.0, None, None, self.name)


@dataclass(frozen=True)
class Drawn:
    """A stage as it was drawn: what it needs, by place, and how often it fails before it succeeds."""

    needs: frozenset[int]
    failures: int
    retry_count: int
    may_fail: bool
    condition: str | None


CONDITIONS = {
    None: lambda failed: not failed,
    "success()": lambda failed: not failed,
    "always()": lambda _: True,
    "failure()": lambda failed: failed,
    "BRANCH == 'main'": lambda failed: not failed,
    "BRANCH == 'dev'": lambda _: False,
    "failure() && BRANCH == 'dev'": lambda _: False,
}


@st.composite
def graphs(draw: st.DrawFn) -> list[Drawn]:
    return [
        Drawn(
            draw(st.frozensets(st.integers(0, place - 1), max_size=3)) if place else frozenset(),
            draw(st.sampled_from([0, 0, 0, 1, 2, 9])),
            draw(st.sampled_from([0, 0, 1, 2])),
            draw(st.booleans()),
            draw(st.sampled_from([None, None, *CONDITIONS])),
        )
        for place in range(draw(st.integers(1, 6)))
    ]


class Model:
    """What the rules say of each stage: its status, and how often its step was tried."""

    def __init__(self, drawn: list[Drawn]) -> None:
        self.drawn = drawn
        self.statuses = ["queued"] * len(drawn)
        self.tries = [0] * len(drawn)
        self._blocks = [False] * len(drawn)

    def run(self) -> None:
        """Run all that has not succeeded."""
        for place, one in enumerate(self.drawn):
            if self.statuses[place] != "succeeded":
                self._run(place, one)

    def _run(self, place: int, one: Drawn) -> None:
        failed = any(self._blocks[other] for other in one.needs)
        if not CONDITIONS[one.condition](failed):
            self.statuses[place], self._blocks[place] = "skipped", failed
            return
        first = self.tries[place]
        while self.tries[place] - first <= one.retry_count:
            self.tries[place] += 1
            if self.tries[place] > one.failures:
                self.statuses[place], self._blocks[place] = "succeeded", False
                return
        self.statuses[place], self._blocks[place] = "failed", not one.may_fail

    @property
    def outcome(self) -> str:
        """The execution's status."""
        pairs = zip(self.drawn, self.statuses, strict=True)
        return "failed" if any(status == "failed" and not one.may_fail for one, status in pairs) else "succeeded"


def definition_of(drawn: list[Drawn]) -> dict[str, Any]:
    stages = [
        stage(
            str(place),
            str(one.failures),
            needs=[str(other) for other in sorted(one.needs)],
            retry_count=one.retry_count,
            continue_on_error=one.may_fail,
            **({"condition": one.condition} if one.condition else {}),
        )
        for place, one in enumerate(drawn)
    ]
    return pipeline(*stages, name=f"drawn {next(_numbers)}")


def drain_in_any_order(engine: Engine, chance: random.Random) -> None:
    runtime = make_runtime(engine.database, engine.tools)
    while True:
        with engine.database.transaction() as session:
            due = session.scalars(select(Job.id).where(Job.status == QUEUED).order_by(Job.id)).all()
        if not due:
            return
        assert runtime.run_job(chance.choice(due))


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=graphs(), chance=st.randoms(use_true_random=False))
def test_any_graph_ends_as_the_rules_say_and_so_does_its_retry(
    engine_of_alice: Engine, drawn: list[Drawn], chance: random.Random
) -> None:
    tools = replace(engine_of_alice.tools, source=NoSource(), sandbox=CountingSandbox())
    engine = Engine(engine_of_alice.database, tools, engine_of_alice.workspace)
    model = Model(drawn)
    execution_id = engine.start(definition_of(drawn), branch=BRANCH)
    for _ in range(2):
        drain_in_any_order(engine, chance)
        model.run()
        seen = engine.look(execution_id)
        assert list(seen.statuses.values()) == model.statuses
        assert [one.attempt for one in seen.steps.values()] == model.tries
        assert seen.execution.status == seen.job.status == model.outcome
        if model.outcome == "succeeded":
            return
        engine.retry(execution_id)
