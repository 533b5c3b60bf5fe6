"""Decisions and turns at once: whoever comes second finds it done, and nobody's turn is lost. On real connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import select

from app.jobs import Job
from app.pipelines import Execution, approvals
from app.pipelines.errors import IllegalMove
from app.pipelines.models import Deployment
from tests.support.committing import at_once
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.work import make_runtime

pytestmark = pytest.mark.slow

ROUNDS = 3


@pytest.fixture
def engine(committing_engine: Engine) -> Engine:
    return committing_engine


def wait(engine: Engine, name: str) -> UUID:
    return engine.run(pipeline(stage("a", approval={}), name=name)).execution.id


def decide(engine: Engine, execution_id: UUID, *, approve: bool) -> None:
    with engine.database.transaction() as session:
        execution = session.get_one(Execution, execution_id)
        approvals.decide(session, execution, "a", engine.caller, approve=approve)


def ended_once(engine: Engine, execution_id: UUID) -> bool:
    seen = engine.look(execution_id)
    ends = [kind for kind, _ in engine.events(seen.execution.topic) if kind == "execution.finished"]
    return len(ends) == 1 and seen.job.is_final and seen.execution.is_final


def test_of_an_approval_and_a_rejection_at_once_one_holds(engine: Engine) -> None:
    for number in range(ROUNDS):
        execution_id = wait(engine, f"both {number}")
        approved, rejected = at_once(
            partial(decide, engine, execution_id, approve=True), partial(decide, engine, execution_id, approve=False)
        )
        assert [type(one) for one in (approved, rejected) if one] == [IllegalMove]
        engine.drain()
        assert engine.look(execution_id).execution.status == ("failed" if approved else "succeeded")
        assert ended_once(engine, execution_id)


def test_an_approval_beside_a_cancel_brings_nothing_back(engine: Engine) -> None:
    for number in range(ROUNDS):
        execution_id = wait(engine, f"cancelled {number}")
        approved, cancelled = at_once(
            partial(decide, engine, execution_id, approve=True), partial(engine.cancel, execution_id)
        )
        assert cancelled is None
        assert approved is None or isinstance(approved, IllegalMove)
        assert engine.drain() == 0
        assert engine.look(execution_id).statuses == {"a": "cancelled"}
        assert ended_once(engine, execution_id)


def test_an_approval_beside_its_expiry_is_either_in_time_or_refused(engine: Engine) -> None:
    for number in range(ROUNDS):
        execution_id = wait(engine, f"late {number}")
        engine.make_due()
        runtime = make_runtime(engine.database, engine.tools)
        expiry = engine.job_of(execution_id, "a")
        approved, ran = at_once(partial(decide, engine, execution_id, approve=True), partial(runtime.run_job, expiry))
        assert ran is None
        assert approved is None or isinstance(approved, IllegalMove)
        engine.drain()
        assert engine.look(execution_id).statuses == {"a": "timed_out" if approved else "succeeded"}
        assert ended_once(engine, execution_id)


def test_turns_are_taken_one_by_one_in_order_with_several_workers(engine: Engine) -> None:
    group = {"group": "one-by-one"}
    ids = [engine.start(pipeline(stage("a"), name=f"turn {number}", concurrency=group)) for number in range(5)]
    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(engine.drain) for _ in range(2)]:
            done.result()
    engine.drain()
    ran = [engine.look(execution_id).execution for execution_id in ids]
    assert [one.status for one in ran] == ["succeeded"] * 5
    times = [(one.started_at, one.finished_at) for one in ran]
    assert all(before[1] and after[0] and before[1] <= after[0] for before, after in pairwise(times))


def test_an_end_beside_an_arrival_loses_no_turn(engine: Engine) -> None:
    for number in range(ROUNDS):
        group = {"group": f"beside {number}"}
        first, second = (
            engine.start(pipeline(stage("a", approval={}), name=f"{name} {number}", concurrency=group))
            for name in ("first", "second")
        )
        runtime = make_runtime(engine.database, engine.tools)
        assert runtime.run_job(engine.look(first).job.id)
        arriving = engine.look(second).job.id
        raised = at_once(partial(engine.cancel, first), partial(runtime.run_job, arriving))
        assert raised == [None, None]
        engine.drain()
        statuses = [engine.look(execution_id).execution.status for execution_id in (first, second)]
        assert statuses == ["cancelled", "running"]


def test_deployments_never_overlap_with_several_workers(engine: Engine) -> None:
    deploys = stage("a", "sleep 0.1", deploys_to="production", matrix={"region": ["eu", "us"]})
    ids = [engine.start(pipeline(deploys, name=f"deploy {number}")) for number in range(3)]
    with ThreadPoolExecutor(3) as workers:
        for done in [workers.submit(engine.drain) for _ in range(3)]:
            done.result()
    engine.drain()
    assert {engine.look(execution_id).execution.status for execution_id in ids} == {"succeeded"}
    with engine.database.transaction() as session:
        ran = session.scalars(select(Deployment).order_by(Deployment.started_at)).all()
    assert len(ran) == 6
    assert all(before.finished_at and before.finished_at <= after.started_at for before, after in pairwise(ran))


def test_a_cancel_beside_the_end_of_a_deployment_loses_no_turn(engine: Engine) -> None:
    for number in range(ROUNDS):
        target = f"beside {number}"
        first, second, third = (
            engine.start(pipeline(stage("a", deploys_to=target), name=f"{name} {number}"))
            for name in ("first", "second", "third")
        )
        runtime = make_runtime(engine.database, engine.tools)
        for execution_id in (first, second, third):
            runtime.run_job(engine.look(execution_id).job.id)
        with engine.database.transaction() as session:
            turn = session.scalars(select(Job.id).where(Job.kind == "pipelines.admit_deployments")).all()
        for job_id in turn:
            runtime.run_job(job_id)
        running = engine.job_of(first, "a")
        raised = at_once(partial(runtime.run_job, running), partial(engine.cancel, second))
        assert raised == [None, None]
        engine.drain()
        statuses = [engine.look(execution_id).execution.status for execution_id in (first, second, third)]
        assert statuses == ["succeeded", "cancelled", "succeeded"]
