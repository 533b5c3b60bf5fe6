"""Concurrency groups: executions that wait for each other in order, or cancel those before them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.kernel.db import Database
from app.pipelines import Execution, service
from app.pipelines.definition import DefinitionInvalid, RunContext, find_group, make_plan, parse_tree
from app.pipelines.service import Start, start_execution
from app.pipelines.views import execution_view
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.work import make_runtime


def deploy(name: str = "deploy", **concurrency: Any) -> dict[str, Any]:
    return pipeline(stage("a", approval={}), name=name, concurrency={"group": "deploy-${BRANCH}", **concurrency})


def start_again(engine: Engine, execution_id: UUID, **given: Any) -> UUID:
    """Start another execution of the same pipeline."""
    with engine.database.transaction() as session:
        found = session.get_one(service.Pipeline, session.get_one(Execution, execution_id).pipeline_id)
        return start_execution(session, found, engine.workspace, Start(**given), engine.caller).execution.id


def statuses(engine: Engine, *ids: UUID) -> list[str]:
    engine.drain()
    return [engine.look(execution_id).execution.status for execution_id in ids]


def positions(engine: Engine, *ids: UUID) -> list[int | None]:
    with engine.database.transaction() as session:
        shown = [execution_view(session, session.get_one(Execution, execution_id)) for execution_id in ids]
    return [one["queue_position"] for one in shown]


def test_executions_of_a_group_begin_one_after_the_other_in_order(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy())
    second, third = (start_again(engine_of_alice, first) for _ in range(2))
    assert statuses(engine_of_alice, first, second, third) == ["running", "queued", "queued"]
    assert positions(engine_of_alice, first, second, third) == [None, 1, 2]
    held = engine_of_alice.look(second)
    assert held.execution.reason == "Waits for its turn in the concurrency group deploy-main."
    assert (held.job.status, held.job.phase) == ("running", "waiting")
    engine_of_alice.cancel(first)
    assert statuses(engine_of_alice, first, second, third) == ["cancelled", "running", "queued"]
    assert engine_of_alice.look(second).execution.reason is None
    assert positions(engine_of_alice, third) == [1]
    engine_of_alice.cancel(second)
    assert statuses(engine_of_alice, third) == ["running"]


def test_one_that_waits_is_cancelled_and_passed_over(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy())
    second, third = (start_again(engine_of_alice, first) for _ in range(2))
    engine_of_alice.drain()
    engine_of_alice.cancel(second)
    assert engine_of_alice.look(second).statuses == {"a": "cancelled"}
    engine_of_alice.cancel(first)
    assert statuses(engine_of_alice, first, second, third) == ["cancelled", "cancelled", "running"]


def test_a_newer_one_cancels_the_older_and_is_named(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy(cancel_in_progress=True))
    assert statuses(engine_of_alice, first) == ["running"]
    second, third = (start_again(engine_of_alice, first) for _ in range(2))
    assert statuses(engine_of_alice, first, second, third) == ["cancelled", "cancelled", "running"]
    reasons = [engine_of_alice.look(one).execution.reason for one in (first, second)]
    assert str(third) in (reasons[1] or "")
    assert all((reason or "").startswith("Superseded by execution ") for reason in reasons)


def test_as_many_go_on_at_once_as_the_limit_says(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy(limit=2))
    others = [start_again(engine_of_alice, first) for _ in range(3)]
    assert statuses(engine_of_alice, first, *others) == ["running", "running", "queued", "queued"]
    engine_of_alice.cancel(others[0])
    assert statuses(engine_of_alice, first, *others) == ["running", "cancelled", "running", "queued"]


def test_a_group_is_of_its_name_and_not_of_its_pipeline(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy("one"))
    same, other = engine_of_alice.start(deploy("two")), engine_of_alice.start(deploy("three", group="docs"))
    assert statuses(engine_of_alice, first, same, other) == ["running", "queued", "running"]


def test_one_that_is_run_again_waits_behind_the_others(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy())
    second = start_again(engine_of_alice, first)
    engine_of_alice.drain()
    engine_of_alice.cancel(first)
    third = start_again(engine_of_alice, first)
    engine_of_alice.retry(first)
    assert statuses(engine_of_alice, first, second, third) == ["queued", "running", "queued"]
    assert positions(engine_of_alice, first, third) == [2, 1]


def test_strangers_have_groups_of_their_own(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(deploy(cancel_in_progress=True))
    stranger = start_again(engine_of_alice, first, trusted=False)
    assert statuses(engine_of_alice, first, stranger) == ["running", "running"]


def test_the_turn_of_one_that_looks_for_its_commit_is_kept(engine_of_alice: Engine, database: Database) -> None:
    first = engine_of_alice.start(deploy())
    second = start_again(engine_of_alice, first)
    runtime = make_runtime(database, engine_of_alice.tools)
    assert runtime.run_job(engine_of_alice.look(second).job.id)
    with database.transaction() as session:
        session.execute(update(service.jobs.Job).where(service.jobs.Job.resource_id == first).values(held=False))
        admitted = service.jobs.Job.kind == "pipelines.admit_executions"
        (job_id,) = session.scalars(service.select(service.jobs.Job.id).where(admitted))
    assert runtime.run_job(job_id)
    assert engine_of_alice.look(second).execution.status == "queued"
    assert statuses(engine_of_alice, first, second) == ["running", "queued"]


@pytest.mark.parametrize(
    ("group", "variables", "name"),
    [
        ("deploy-${BRANCH}", {}, "deploy-main"),
        ("${STAGE:-test}", {"STAGE": "live"}, "live"),
        ("${STAGE:-test}", {}, "test"),
        ("${STAGE}", {}, None),
    ],
)
def test_a_groups_name_is_filled_in(group: str, variables: dict[str, str], name: str | None) -> None:
    definition = parse_tree(pipeline(stage("a"), concurrency={"group": group}))
    run = RunContext("1", "shop", "2", "https://example.com/shop", "main", "manual", variables=variables)
    assert find_group(make_plan(definition, run)) == name


@pytest.mark.parametrize("group", ["a-${BRANCH", "${matrix.os}", ""])
def test_a_group_that_cannot_be_filled_in_is_refused(group: str) -> None:
    with pytest.raises(DefinitionInvalid):
        parse_tree(pipeline(stage("a"), concurrency={"group": group}))
