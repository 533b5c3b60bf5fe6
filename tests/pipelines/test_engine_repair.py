"""What is left by attempts that failed, were lost or were handed back, and what becomes of it."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.pipelines import start_stage, start_step
from app.pipelines.errors import IllegalMove
from app.pipelines.models import Artifact
from tests.support.pipelines import Engine, Seen, pipeline, stage, step
from tests.support.work import make_runtime

pytestmark = pytest.mark.slow


def lose(engine: Engine, execution_id: UUID, name: str) -> Seen:
    """Let a worker begin a step of a stage and never be heard of again; reap its job."""
    engine.make_due()
    job_id = engine.job_of(execution_id, name)
    with engine.database.transaction() as session:
        claim = jobs.claim(session, job_id, "lost:1", 60)
        assert claim is not None
        job = session.get_one(Job, job_id)
        start_step(session, job, start_stage(session, engine.look(execution_id).stages[name].id).steps["run"])
    with engine.database.transaction() as session:
        ago = database_now() - sql_seconds(1)
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=ago))
    with engine.database.transaction() as session:
        assert jobs.reap(session, job_id)
    return engine.look(execution_id)


def begin(engine: Engine, execution_id: UUID) -> None:
    assert make_runtime(engine.database, engine.tools).run_job(engine.look(execution_id).job.id)


def test_what_a_failed_attempt_kept_gives_way_to_what_the_next_one_keeps(engine_of_alice: Engine) -> None:
    script = 'echo $CI_ATTEMPT > both.txt; echo x > only-$CI_ATTEMPT.txt; test "$CI_ATTEMPT" = 2'
    seen = engine_of_alice.run(
        pipeline(
            stage("make", script, retry_count=1, artifacts=["*.txt"]),
            stage("use", "ls *.txt", needs=["make"]),
        )
    )
    assert engine_of_alice.artifacts(seen.execution.id) == {"make/both.txt": b"2\n", "make/only-2.txt": b"x\n"}
    assert engine_of_alice.text_of(seen.steps["use/run"]) == ["both.txt", "only-2.txt"]
    kept = engine_of_alice.tools.artifact_store
    with engine_of_alice.database.transaction() as session:
        keys = session.scalars(select(Artifact.key).where(Artifact.execution_id == seen.execution.id)).all()
    assert len(keys) == 2
    folder = engine_of_alice.tools.workspaces.parent / "artifacts" / str(seen.execution.id)
    assert sorted(path.name for path in folder.iterdir()) == sorted(key.rpartition("/")[2] for key in keys)
    assert kept.read(keys[0])


def test_a_stage_whose_worker_was_lost_runs_again(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(pipeline(stage("a", "echo $CI_ATTEMPT"), stage("b", needs=["a"])))
    begin(engine_of_alice, execution_id)
    lost = lose(engine_of_alice, execution_id, "a")
    assert (lost.statuses, lost.step_statuses["a/run"]) == ({"a": "running", "b": "queued"}, "running")
    assert lost.execution.status == "running"
    engine_of_alice.make_due()
    engine_of_alice.drain()
    seen = engine_of_alice.look(execution_id)
    assert set(seen.statuses.values()) == {"succeeded"}
    assert (seen.stages["a"].attempt, seen.steps["a/run"].attempt) == (2, 2)
    assert engine_of_alice.text_of(seen.steps["a/run"]) == ["2"]


def test_a_stage_that_loses_every_worker_fails_by_that_name(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(pipeline(stage("a", retry_count=1), stage("b", needs=["a"])))
    begin(engine_of_alice, execution_id)
    first = engine_of_alice.job_of(execution_id, "a")
    for _ in range(3):
        seen = lose(engine_of_alice, execution_id, "a")
    assert (seen.stages["a"].status, seen.stages["a"].retries_left) == ("queued", 0)
    assert engine_of_alice.job_of(execution_id, "a") != first
    for _ in range(3):
        seen = lose(engine_of_alice, execution_id, "a")
    assert seen.statuses == {"a": "failed", "b": "skipped"}
    assert seen.stages["a"].attempt == 6
    assert seen.step_statuses == {"a/run": "failed", "b/run": "skipped"}
    assert "has not been heard of" in (seen.steps["a/run"].reason or "")
    assert seen.execution.error is not None
    assert seen.execution.error["code"] == "WORKER_LOST"
    assert (seen.execution.status, seen.job.status, seen.job.error) == ("failed", "failed", seen.execution.error)


def test_a_lost_worker_of_a_cancelled_execution_does_not_bring_it_back(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(pipeline(stage("a"), stage("b", needs=["a"])))
    begin(engine_of_alice, execution_id)
    with engine_of_alice.database.transaction() as session:
        claim = jobs.claim(session, engine_of_alice.job_of(execution_id, "a"), "lost:1", 0)
        assert claim is not None
    engine_of_alice.cancel(execution_id)
    assert engine_of_alice.look(execution_id).execution.status == "running"
    with engine_of_alice.database.transaction() as session:
        assert jobs.reap(session, claim.job_id)
    seen = engine_of_alice.look(execution_id)
    assert set(seen.statuses.values()) == {"cancelled"}
    assert (seen.execution.status, seen.job.status) == ("cancelled", "cancelled")


def test_a_cancel_before_the_beginning_runs_nothing(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(pipeline(stage("a"), stage("b", needs=["a"])))
    engine_of_alice.cancel(execution_id)
    seen = engine_of_alice.look(execution_id)
    assert set(seen.statuses.values()) | {seen.execution.status, seen.job.status} == {"cancelled"}
    assert set(seen.step_statuses.values()) == {"cancelled"}
    assert engine_of_alice.drain() == 0
    with pytest.raises(IllegalMove):
        engine_of_alice.cancel(execution_id)
    engine_of_alice.retry(execution_id)
    engine_of_alice.drain()
    assert engine_of_alice.look(execution_id).execution.status == "succeeded"


def test_an_execution_whose_beginning_failed_for_a_passing_reason_begins_again(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(pipeline(stage("a")))
    with engine_of_alice.database.transaction() as session:
        claim = jobs.claim(session, engine_of_alice.look(execution_id).job.id, "tests:1", 60)
        assert claim is not None
        job = jobs.hold(session, claim)
        jobs.fail_or_retry(session, job, {"code": "X", "message": "away", "details": {}}, delay=1)
    assert engine_of_alice.look(execution_id).execution.status == "queued"
    engine_of_alice.make_due()
    engine_of_alice.drain()
    assert engine_of_alice.look(execution_id).execution.status == "succeeded"


def test_an_execution_whose_job_is_not_kept_any_more_is_not_retried(
    engine_of_alice: Engine, database: Database
) -> None:
    seen = engine_of_alice.run(pipeline(stage("a", "exit 1")))
    with database.transaction() as session:
        session.execute(delete(Job).where(Job.id == seen.job.id))
    with pytest.raises(IllegalMove):
        engine_of_alice.retry(seen.execution.id)


def test_steps_of_a_lost_attempt_that_had_ended_run_again_with_logs_of_their_own(engine_of_alice: Engine) -> None:
    steps = [step("first", "echo first $CI_ATTEMPT"), step("run", "echo run $CI_ATTEMPT")]
    execution_id = engine_of_alice.start(pipeline(stage("a", *steps)))
    begin(engine_of_alice, execution_id)
    lose(engine_of_alice, execution_id, "a")
    engine_of_alice.make_due()
    engine_of_alice.drain()
    seen = engine_of_alice.look(execution_id)
    assert engine_of_alice.text_of(seen.steps["a/first"]) == ["first 1"]
    assert engine_of_alice.text_of(seen.steps["a/run"]) == ["run 2"]
    assert engine_of_alice.text_of(seen.steps["a/run"], 1) == []
