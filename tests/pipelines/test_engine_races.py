"""What happens at once: parallel steps, stages that end together, a cancel beside them. On real connections."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app import jobs
from app.jobs import Job, LeaseLost, Run
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.pipelines import Execution, begin_execution, service, start_stage
from tests.support.committing import at_once
from tests.support.pipelines import Engine, pipeline, stage, step
from tests.support.platform import wait_for
from tests.support.work import make_runtime

COMMIT = "0123456789012345678901234567890123456789"
ROUNDS = 3
ENDS = {f"job.{status}" for status in jobs.FINAL}


@pytest.fixture
def engine(committing_engine: Engine) -> Engine:
    return committing_engine


def claim(engine: Engine, job_id: UUID) -> Run:
    with engine.database.transaction() as session:
        claimed = jobs.claim(session, job_id, "tests:1", 60)
    assert claimed is not None
    return Run(engine.database, claimed)


def begin(engine: Engine, execution_id: UUID) -> None:
    run = claim(engine, engine.look(execution_id).job.id)
    with run.recording() as (session, job):
        run.park(session, job)
        begin_execution(session, session.get_one(Execution, execution_id), job, COMMIT)


def start(engine: Engine, execution_id: UUID, name: str) -> Run:
    run = claim(engine, engine.job_of(execution_id, name))
    with run.recording() as (session, _):
        start_stage(session, engine.look(execution_id).stages[name].id)
    return run


def finish(run: Run) -> None:
    with run.recording() as (session, job):
        run.finish(session, job, {"status": "succeeded"})


def reap(engine: Engine, job_id: UUID) -> None:
    with engine.database.transaction() as session:
        jobs.reap(session, job_id)


def wait_until_blocked(database: Database) -> None:
    """Wait until somebody waits for a lock."""
    waiting = "wait_event_type = 'Lock' AND datname = current_database()"

    def blocked() -> bool:
        with database.transaction() as session:
            return bool(session.execute(text(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")).scalar())

    wait_for(blocked, 10)


def ended_once(engine: Engine, execution_id: UUID) -> bool:
    """Tell whether the execution and all jobs of it have ended, each exactly once."""
    seen = engine.look(execution_id)
    with engine.database.transaction() as session:
        family = session.scalars(select(Job).where((Job.id == seen.job.id) | (Job.parent_id == seen.job.id))).all()
    ends = [sum(kind in ENDS for kind, _ in engine.events(job.topic)) for job in family]
    finished = Counter(kind for kind, _ in engine.events(seen.execution.topic))["execution.finished"]
    stages = [one.is_final for one in seen.stages.values()]
    return seen.execution.is_final and all(stages) and set(ends) == {1} and finished == 1


def test_two_stages_that_end_at_once_start_the_next_one_once(engine: Engine) -> None:
    diamond = pipeline(stage("a"), stage("b"), stage("d", needs=["a", "b"]))
    for number in range(ROUNDS):
        execution_id = engine.start({**diamond, "name": f"diamond {number}"})
        begin(engine, execution_id)
        runs = [start(engine, execution_id, name) for name in "ab"]
        assert at_once(*[partial(finish, run) for run in runs]) == [None, None]
        with engine.database.transaction() as session:
            stage_id = engine.look(execution_id).stages["d"].id
            accepted = session.scalars(select(Job.id).where(Job.resource_id == stage_id)).all()
        assert accepted == [engine.job_of(execution_id, "d")]
        finish(start(engine, execution_id, "d"))
        assert ended_once(engine, execution_id)
        assert engine.look(execution_id).execution.status == "succeeded"


def test_an_execution_whose_last_stages_end_at_once_ends_once(engine: Engine) -> None:
    for number in range(ROUNDS):
        execution_id = engine.start(pipeline(*[stage(name) for name in "abc"], name=f"wide {number}"))
        begin(engine, execution_id)
        runs = [start(engine, execution_id, name) for name in "abc"]
        assert at_once(*[partial(finish, run) for run in runs]) == [None] * 3
        assert ended_once(engine, execution_id)


def test_a_cancel_that_waits_for_the_beginning_takes_the_stages_with_it(engine: Engine) -> None:
    execution_id = engine.start(pipeline(stage("a"), stage("b"), stage("c", needs=["a"])))
    run = claim(engine, engine.look(execution_id).job.id)
    with ThreadPoolExecutor(1) as pool:
        with run.recording() as (session, job):
            run.park(session, job)
            begin_execution(session, session.get_one(Execution, execution_id), job, COMMIT)
            session.flush()
            cancelling = pool.submit(engine.cancel, execution_id)
            wait_until_blocked(engine.database)
        cancelling.result()
    assert engine.drain() == 0
    assert set(engine.look(execution_id).statuses.values()) == {"cancelled"}
    assert ended_once(engine, execution_id)


def test_a_cancel_that_waits_for_a_stages_end_takes_the_next_stage_with_it(engine: Engine) -> None:
    execution_id = engine.start(pipeline(stage("a"), stage("b", needs=["a"])))
    begin(engine, execution_id)
    run = start(engine, execution_id, "a")
    with ThreadPoolExecutor(1) as pool:
        with run.recording() as (session, job):
            run.finish(session, job, {"status": "succeeded"})
            cancelling = pool.submit(engine.cancel, execution_id)
            wait_until_blocked(engine.database)
        cancelling.result()
    assert engine.drain() == 0
    assert engine.look(execution_id).statuses == {"a": "succeeded", "b": "cancelled"}
    assert engine.look(execution_id).execution.status == "cancelled"
    assert ended_once(engine, execution_id)


def test_a_cancel_beside_an_end_leaves_one_end(engine: Engine) -> None:
    for number in range(ROUNDS):
        execution_id = engine.start(pipeline(stage("a"), stage("b", needs=["a"]), name=f"beside {number}"))
        begin(engine, execution_id)
        run = start(engine, execution_id, "a")
        raised = at_once(partial(finish, run), partial(engine.cancel, execution_id))
        assert raised == [None, None]
        assert engine.look(execution_id).execution.status == "cancelled"
        assert engine.drain() == 0
        assert ended_once(engine, execution_id)


def test_a_reaped_attempt_and_its_late_end_do_not_both_count(engine: Engine) -> None:
    for number in range(ROUNDS):
        execution_id = engine.start(pipeline(stage("a"), name=f"late {number}"))
        begin(engine, execution_id)
        run = start(engine, execution_id, "a")
        with engine.database.transaction() as session:
            session.execute(update(Job).where(Job.id == run.claim.job_id).values(lease_until=database_now()))
        ended, reaped = at_once(partial(finish, run), partial(reap, engine, run.claim.job_id))
        assert reaped is None
        status = engine.look(execution_id).statuses["a"]
        if ended is None:
            assert status == "succeeded"
            assert ended_once(engine, execution_id)
        else:
            assert isinstance(ended, LeaseLost)
            assert status == "running"
            engine.make_due()
            finish(start(engine, execution_id, "a"))
            assert ended_once(engine, execution_id)


def test_parallel_steps_run_at_once_and_keep_their_own_logs(engine: Engine) -> None:
    together = "echo $CI_STEP >> started; for i in $(seq 100); do test $(wc -l < started) = 4 && break; sleep 0.1; done"
    steps = [step(name, f"{together}; for i in $(seq 50); do echo {name} $i; done") for name in ("x", "y", "z")]
    bad = step("bad", f"{together}; exit 3")
    began = time.monotonic()
    seen = engine.run(pipeline(stage("wide", *steps, bad, parallel=True), stage("next", needs=["wide"])))
    assert time.monotonic() - began < 9
    assert [one.status for one in seen.steps.values()] == ["succeeded"] * 3 + ["failed", "skipped"]
    for name in ("x", "y", "z"):
        assert engine.text_of(seen.steps[f"wide/{name}"]) == [f"{name} {number}" for number in range(1, 51)]
    assert seen.stages["wide"].reason == "Did not succeed: bad failed."
    percents = [data["progress"]["percent"] for _, data in engine.events(seen.job.topic)]
    assert percents == sorted(percents)


def test_a_cancel_stops_all_parallel_steps(engine: Engine) -> None:
    execution_id = engine.start(pipeline(stage("wide", *[step(name, "sleep 60") for name in "xyz"], parallel=True)))
    begin_job = engine.look(execution_id).job.id
    runtime = make_runtime(engine.database, engine.tools, poll=0.1)
    assert runtime.run_job(begin_job)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runtime.run_job, engine.job_of(execution_id, "wide"))
        wait_for(lambda: list(engine.look(execution_id).step_statuses.values()) == ["running"] * 3)
        engine.cancel(execution_id)
        asked = time.monotonic()
        assert running.result(timeout=20)
    assert time.monotonic() - asked < 3
    assert set(engine.look(execution_id).step_statuses.values()) == {"cancelled"}
    assert ended_once(engine, execution_id)


def test_a_stopping_worker_hands_its_stage_back_and_another_runs_it(engine: Engine) -> None:
    execution_id = engine.start(pipeline(stage("a", 'test "$CI_ATTEMPT" = 2 || sleep 60')))
    runtime = make_runtime(engine.database, engine.tools, poll=0.1, grace=0.0)
    assert runtime.run_job(engine.look(execution_id).job.id)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runtime.run_job, engine.job_of(execution_id, "a"))
        wait_for(lambda: engine.look(execution_id).step_statuses["a/run"] == "running")
        runtime._stopping.set()
        assert running.result(timeout=10)
    seen = engine.look(execution_id)
    assert (seen.execution.status, seen.statuses) == ("running", {"a": "running"})
    assert engine.drain() == 1
    seen = engine.look(execution_id)
    assert (seen.statuses, seen.steps["a/run"].attempt) == ({"a": "succeeded"}, 2)
    assert ended_once(engine, execution_id)


def test_a_started_execution_is_numbered_without_a_gap_by_several_at_once(engine: Engine) -> None:
    first = engine.look(engine.start(pipeline(stage("a")))).execution
    pipeline_id = first.pipeline_id

    def start_one() -> None:
        with engine.database.transaction() as session:
            found = session.get_one(service.Pipeline, pipeline_id)
            service.start_execution(session, found, engine.workspace, service.Start(), engine.caller)

    assert at_once(*[start_one] * 5) == [None] * 5
    with engine.database.transaction() as session:
        numbers = session.scalars(select(Execution.number).where(Execution.pipeline_id == pipeline_id))
        assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
