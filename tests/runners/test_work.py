"""A runner at work, each of its requests by hand: what it is given, when, and how its attempts end."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.runners import assignment_from_json
from tests.support.identity import Person, data_of, make_person
from tests.support.pipelines import Engine, pipeline, stage, step
from tests.support.runners import API, ELSEWHERE, HandRunner
from tests.support.tenancy import make_workspace


def test_a_stage_goes_to_a_runner_and_comes_back(engine_of_alice: Engine, started: UUID, runner: HandRunner) -> None:
    given = runner.claim_one()
    told = assignment_from_json(given).briefing
    assert (told.execution_id, told.planned.name, told.plan.stages) == (started, "build", (told.planned,))
    assert told.commit_sha == engine_of_alice.look(started).execution.commit_sha
    for name, step_id in given["briefing"]["steps"].items():
        assert data_of(runner.post(given, f"/steps/{step_id}/start")) == {"attempt": 1}
        assert data_of(runner.write(given, step_id, 1, f"{name}\nis done")) == {"next_seq": 3}
        ended = {"status": "succeeded", "exit_code": 0, "duration_seconds": 0.5}
        assert runner.post(given, f"/steps/{step_id}/finish", ended).status_code == 204
    assert runner.finish(given).status_code == 204
    seen = engine_of_alice.look(started)
    assert (seen.execution.status, seen.execution.reason) == ("succeeded", None)
    assert seen.step_statuses == {"build/compile": "succeeded", "build/test": "succeeded"}
    assert engine_of_alice.text_of(seen.steps["build/compile"]) == ["compile", "is done"]
    assert seen.stages["build"].runner == "machine"


def test_what_waits_says_what_for(
    client: FlaskClient, engine_of_alice: Engine, started: UUID, alice: Person, database: Database
) -> None:
    said = engine_of_alice.look(started).stages["build"].reason or ""
    assert said.startswith("Waits for a runner with the labels gpu, linux")
    engine_of_alice.make_due()
    engine_of_alice.drain()
    shown = data_of(client.get(f"{API}/executions/{started}", headers=alice.headers))
    waiting = "Waits for a runner with the labels gpu, linux; there is none."
    assert (shown["status"], shown["reason"]) == ("running", f"build: {waiting}")
    [waits] = shown["stages"]
    assert (waits["status"], waits["reason"], waits["queue_position"]) == ("queued", waiting, 1)
    assert waits["runs_on"] == ["gpu", "linux"]
    HandRunner.registered(client, alice, "gpu", "linux")
    engine_of_alice.make_due()
    engine_of_alice.drain()
    assert "none of the 1 there are is online" in (engine_of_alice.look(started).stages["build"].reason or "")


def test_a_stage_that_no_runner_takes_gives_up_in_the_end(engine_of_alice: Engine, database: Database) -> None:
    execution_id = engine_of_alice.start(pipeline(ELSEWHERE | {"retry_count": 2}))
    engine_of_alice.drain()
    with database.transaction() as session:
        [waiting] = engine_of_alice.look(execution_id).stages.values()
        session.get_one(type(waiting), waiting.id).runner_asked_at = database_now() - sql_seconds(90_000)
    engine_of_alice.make_due()
    engine_of_alice.drain()
    ended = engine_of_alice.look(execution_id).stages["build"]
    assert (ended.status, ended.error and ended.error["code"]) == ("timed_out", "NO_RUNNER")


def test_waiting_takes_nothing_of_the_executions_own_time(
    engine_of_alice: Engine, started: UUID, runner: HandRunner, database: Database
) -> None:
    before = engine_of_alice.look(started)
    with database.transaction() as session:
        waiting = before.stages["build"]
        session.get_one(type(waiting), waiting.id).runner_asked_at = database_now() - sql_seconds(1000)
    runner.claim_one()
    after = engine_of_alice.look(started).execution
    assert before.execution.deadline_at is not None
    assert after.deadline_at is not None
    assert 1000 <= (after.deadline_at - before.execution.deadline_at).total_seconds() < 1100


@pytest.mark.parametrize("labels", [("gpu",), ("linux",), ("gpu", "windows")])
def test_a_runner_that_lacks_a_label_is_given_nothing(
    client: FlaskClient, alice: Person, started: UUID, labels: tuple[str, ...]
) -> None:
    assert HandRunner.registered(client, alice, *labels).claim() is None


def test_another_organizations_runner_is_given_nothing(
    app: Flask, client: FlaskClient, database: Database, started: UUID, runner: HandRunner
) -> None:
    charlie = make_person(app, database, "charlie")
    stranger = HandRunner.registered(client, charlie, "gpu", "linux")
    assert stranger.claim() is None
    given = runner.claim_one()
    assert stranger.finish(given).status_code == 404
    assert stranger.post(given, "/heartbeat").status_code == 404


def test_a_workspaces_runner_takes_that_workspaces_stages_alone(
    client: FlaskClient, alice: Person, database: Database, engine_of_alice: Engine, started: UUID
) -> None:
    other = make_workspace(database, alice, name="other", repository_url="https://git.example.com/other.git")
    assert HandRunner.registered(client, alice, "gpu", "linux", place=f"workspaces/{other.id}").claim() is None
    mine = HandRunner.registered(client, alice, "gpu", "linux", place=f"workspaces/{engine_of_alice.workspace.id}")
    assert mine.claim() is not None


def test_code_of_forks_goes_to_runners_that_take_it(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, runner: HandRunner
) -> None:
    execution_id = engine_of_alice.start(pipeline(ELSEWHERE), trusted=False)
    engine_of_alice.drain()
    assert runner.claim() is None
    engine_of_alice.make_due()
    engine_of_alice.drain()
    reason = engine_of_alice.look(execution_id).stages["build"].reason or ""
    assert reason.startswith("Waits for a runner with the labels gpu, linux that takes code of forks; there is none")
    brave = HandRunner.registered(client, alice, "gpu", "linux", takes_untrusted=True)
    assert brave.claim_one()["secrets"] == {"opening": {}, "values": {}}


def test_a_stage_goes_to_one_runner_and_no_worker(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, started: UUID, runner: HandRunner
) -> None:
    given = runner.claim_one()
    assert HandRunner.registered(client, alice, "gpu", "linux").claim() is None
    engine_of_alice.make_due()
    assert engine_of_alice.drain() == 0
    assert engine_of_alice.look(started).stages["build"].status == "running"
    assert runner.finish(given).status_code == 204


def test_what_its_secrets_are_the_claim_alone_says(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, runner: HandRunner
) -> None:
    place = f"{API}/workspaces/{engine_of_alice.workspace.id}/secrets"
    for name in ("TOKEN", "OTHER"):
        kept = {"name": name, "value": f"value-of-{name}"}
        data_of(client.post(place, json=kept, headers=alice.headers), 201)
    engine_of_alice.start(pipeline(stage("build", step("one", secrets=["TOKEN"]), runs_on="gpu")))
    engine_of_alice.drain()
    assert runner.claim_one()["secrets"]["values"] == {"TOKEN": "value-of-TOKEN"}


def test_a_cancel_is_heard_with_the_next_sign_of_life(
    engine_of_alice: Engine, started: UUID, runner: HandRunner
) -> None:
    given = runner.claim_one()
    assert data_of(runner.post(given, "/heartbeat", {"phase": "steps"}))["cancel"] is False
    engine_of_alice.cancel(started)
    assert data_of(runner.post(given, "/heartbeat"))["cancel"] is True
    assert runner.finish(given, "cancelled").status_code == 204
    assert engine_of_alice.look(started).execution.status == "cancelled"


def test_a_runner_that_does_not_heed_a_cancel_loses_its_stage(
    engine_of_alice: Engine, started: UUID, runner: HandRunner, database: Database
) -> None:
    given = runner.claim_one()
    engine_of_alice.cancel(started)
    with database.transaction() as session:
        session.get_one(Job, UUID(given["job_id"])).cancel_requested_at = database_now() - sql_seconds(90)
    assert runner.post(given, "/heartbeat").status_code == 409
    seen = engine_of_alice.look(started).execution
    assert (seen.status, seen.reason) == ("cancelled", None)


def test_an_attempt_that_was_lost_writes_nothing_more(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, started: UUID, runner: HandRunner, database: Database
) -> None:
    lost = runner.claim_one()
    with database.transaction() as session:
        job_id = UUID(lost["job_id"])
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=database_now() - sql_seconds(1)))
        assert jobs.reap(session, job_id)
    second = HandRunner.registered(client, alice, "gpu", "linux")
    given = second.claim_one()
    assert given["attempt"] > lost["attempt"]
    [step_id, *_] = given["briefing"]["steps"].values()
    data_of(second.post(given, f"/steps/{step_id}/start"))
    for refused in (
        runner.post(lost, "/heartbeat"),
        runner.post(lost, f"/steps/{step_id}/start"),
        runner.write(lost, step_id, 1, "from the grave"),
        runner.finish(lost),
        runner.finish(given),
    ):
        assert refused.status_code == 409, refused.get_data(as_text=True)
        assert refused.get_json()["error"]["code"] == "LEASE_LOST"
    assert engine_of_alice.text_of(engine_of_alice.look(started).steps["build/compile"]) == []


def test_a_runner_that_forgot_what_it_has_gives_it_up(
    client: FlaskClient, alice: Person, started: UUID, runner: HandRunner
) -> None:
    given = runner.claim_one()
    assert runner.claim(given["job_id"]) is None
    again = runner.claim_one()
    assert (again["job_id"], again["attempt"] > given["attempt"]) == (given["job_id"], True)


def test_a_stage_that_is_handed_back_costs_no_attempt(
    engine_of_alice: Engine, started: UUID, runner: HandRunner, database: Database
) -> None:
    for _ in range(5):
        assert runner.finish(runner.claim_one(), "handed_back").status_code == 204
    assert runner.finish(runner.claim_one()).status_code == 204
    assert engine_of_alice.look(started).execution.status == "succeeded"


def test_steps_that_failed_fail_the_stage_as_a_workers_do(
    engine_of_alice: Engine, started: UUID, runner: HandRunner
) -> None:
    given = runner.claim_one()
    failed = {"compile": "failed", "no such step": "failed"}
    assert runner.finish(given, "steps_failed", failed=failed).status_code == 204
    error = engine_of_alice.look(started).stages["build"].error or {}
    assert (error["code"], error["message"]) == ("STAGE_FAILED", "Did not succeed: compile failed.")
    assert error["details"] == {"steps": {"compile": "failed"}, "stage": "build", "step": "compile"}
