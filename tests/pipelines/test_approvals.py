"""Stages that wait for approval: who may decide, what follows, and what else ends the wait."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.kernel.principal import Principal
from app.pipelines import Execution, approvals, retrying, run_next_due, start_followers
from app.pipelines.errors import IllegalMove, NotAnApprover
from app.pipelines.models import Schedule
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, Seen, pipeline, stage, step

API = "/api/v1"


def gated(**approval: Any) -> dict[str, Any]:
    deploy = stage("deploy", "echo deployed", needs=["build"], approval=approval, retry_count=1)
    return pipeline(stage("build"), deploy, stage("after", needs=["deploy"]))


def wait(engine: Engine, **approval: Any) -> UUID:
    """Run a pipeline up to its gate."""
    seen = engine.run(gated(**approval))
    assert seen.statuses == {"build": "succeeded", "deploy": "waiting", "after": "queued"}
    assert (seen.execution.status, seen.job.status) == ("running", "running")
    return seen.execution.id


def decide(engine: Engine, execution_id: UUID, caller: Principal | None = None, **given: Any) -> Seen:
    with engine.database.transaction() as session:
        execution = session.get_one(Execution, execution_id)
        approvals.decide(session, execution, "deploy", caller or engine.caller, **{"approve": True, **given})
    engine.drain()
    return engine.look(execution_id)


def person(app: Flask, database: Database, alice: Person, name: str, role: str = "member") -> Person:
    found = make_person(app, database, name)
    join(database, found, alice.organization_id, role)
    return found


def test_a_stage_runs_once_it_is_approved(engine_of_alice: Engine) -> None:
    execution_id = wait(engine_of_alice)
    seen = decide(engine_of_alice, execution_id)
    assert set(seen.statuses.values()) | {seen.execution.status, seen.job.status} == {"succeeded"}
    told = [
        (kind, data["status"])
        for kind, data in engine_of_alice.events(seen.execution.topic)
        if data.get("stage") == "deploy" and kind != "step.status"
    ]
    assert told == [
        ("stage.status", "waiting"),
        ("stage.approval", "approved"),
        ("stage.status", "queued"),
        ("stage.status", "running"),
        ("stage.status", "succeeded"),
    ]
    with pytest.raises(IllegalMove):
        decide(engine_of_alice, execution_id)


def test_a_rejected_stage_has_failed_and_is_not_tried_again(engine_of_alice: Engine) -> None:
    seen = decide(engine_of_alice, wait(engine_of_alice), approve=False, comment="Not on a Friday.")
    assert seen.statuses == {"build": "succeeded", "deploy": "failed", "after": "skipped"}
    assert seen.stages["deploy"].reason == "alice rejected it. Not on a Friday."
    assert seen.stages["deploy"].attempt == 0
    assert seen.execution.error is not None
    assert (seen.execution.status, seen.execution.error["code"]) == ("failed", "APPROVAL_REJECTED")


def test_an_approval_that_nobody_gives_expires(engine_of_alice: Engine) -> None:
    execution_id = wait(engine_of_alice, expires_in="1h")
    assert engine_of_alice.drain() == 0
    engine_of_alice.make_due()
    engine_of_alice.drain()
    seen = engine_of_alice.look(execution_id)
    assert seen.statuses == {"build": "succeeded", "deploy": "timed_out", "after": "skipped"}
    assert seen.stages["deploy"].reason == "Nobody approved the stage in time."
    with pytest.raises(IllegalMove):
        decide(engine_of_alice, execution_id)


def test_cancelling_ends_the_wait(engine_of_alice: Engine) -> None:
    execution_id = wait(engine_of_alice)
    engine_of_alice.cancel(execution_id)
    seen = engine_of_alice.look(execution_id)
    assert seen.statuses == {"build": "succeeded", "deploy": "cancelled", "after": "cancelled"}
    assert (seen.execution.status, seen.job.status) == ("cancelled", "cancelled")
    engine_of_alice.make_due()
    assert engine_of_alice.drain() == 0


def test_a_stage_that_runs_again_asks_again(engine_of_alice: Engine) -> None:
    execution_id = wait(engine_of_alice)
    decide(engine_of_alice, execution_id)
    engine_of_alice.retry_stage(execution_id, "deploy")
    engine_of_alice.drain()
    seen = engine_of_alice.look(execution_id)
    assert seen.statuses == {"build": "succeeded", "deploy": "waiting", "after": "queued"}
    assert decide(engine_of_alice, execution_id).execution.status == "succeeded"


def test_an_approval_holds_for_the_retries_of_its_stage(engine_of_alice: Engine) -> None:
    flaky = stage("deploy", 'test "$CI_ATTEMPT" = 2', approval={}, retry_count=1)
    seen = engine_of_alice.run(pipeline(flaky))
    seen = decide(engine_of_alice, seen.execution.id)
    assert (seen.statuses, seen.stages["deploy"].attempt) == ({"deploy": "succeeded"}, 2)


def test_nobody_is_asked_for_what_would_not_run(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(
        pipeline(
            stage("bad", "exit 1"),
            stage("unwanted", condition="TAG", approval={}),
            stage("after", needs=["bad"], approval={}),
            stage("broken", condition="matches(BRANCH, '[')", approval={}),
        )
    )
    assert seen.statuses["unwanted"] == seen.statuses["after"] == "skipped"
    assert seen.execution.status == "failed"


def test_the_wait_takes_nothing_of_the_timeout(engine_of_alice: Engine) -> None:
    execution_id = wait(engine_of_alice)
    with engine_of_alice.database.transaction() as session:
        execution = session.get_one(Execution, execution_id)
        assert execution.deadline_at is not None
        execution.deadline_at = execution.deadline_at - timedelta(days=2)
    assert decide(engine_of_alice, execution_id).execution.status == "succeeded"


def test_only_those_who_are_named_decide(
    app: Flask, database: Database, client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    bob, carol = (person(app, database, alice, name) for name in ("bob", "carol"))
    admin = person(app, database, alice, "dora", "admin")
    execution_id = wait(engine_of_alice, approvers=["bob", "role:organization-admin"])
    path = f"{API}/executions/{execution_id}/stages/deploy"
    for refused in (alice, carol):
        error = error_of(client.post(f"{path}/approve", json={}, headers=refused.headers), 403)
        assert (error["code"], error["details"]) == (
            "NOT_AN_APPROVER",
            {"approvers": ["bob", "role:organization-admin"]},
        )
    shown = data_of(client.post(f"{path}/approve", json={"comment": "Go."}, headers=admin.headers), 202)
    gate = shown["stages"][1]["approval"]
    assert (gate["status"], gate["decided_by"], gate["comment"]) == ("approved", str(admin.user.id), "Go.")
    assert gate["approvers"] == ["bob", "role:organization-admin"]
    assert error_of(client.post(f"{path}/approve", json={}, headers=bob.headers), 409)
    kept = data_of(client.get(f"{API}/executions/{execution_id}/approvals", headers=bob.headers))
    assert [(one["stage"], one["status"], one["decided_by"]) for one in kept] == [
        ("deploy", "approved", str(admin.user.id))
    ]


def test_who_started_it_does_not_approve_it(
    app: Flask, database: Database, alice: Person, engine_of_alice: Engine
) -> None:
    execution_id = wait(engine_of_alice, not_by_starter=True)
    with pytest.raises(NotAnApprover):
        decide(engine_of_alice, execution_id)
    bob = person(app, database, alice, "bob")
    assert decide(engine_of_alice, execution_id, Principal(bob.user.id, "bob")).execution.status == "succeeded"


def test_who_began_what_led_to_it_or_ran_it_again_does_not_approve_it(
    app: Flask, database: Database, alice: Person, engine_of_alice: Engine
) -> None:
    follows = [{"trigger_type": "pipeline", "config": {"pipeline": "first"}}]
    gate = stage("deploy", approval={"not_by_starter": True})
    engine_of_alice.start(pipeline(gate, name="second", triggers=follows))
    ended = engine_of_alice.run(pipeline(stage("a"), name="first")).execution
    with database.transaction() as session:
        ((started,),) = (start_followers(session, ended.id, "succeeded", "test")["started"],)
    execution_id = UUID(started["execution_id"])
    engine_of_alice.drain()
    assert engine_of_alice.look(execution_id).execution.created_by is None
    with pytest.raises(NotAnApprover):
        decide(engine_of_alice, execution_id)
    bob = person(app, database, alice, "bob")
    engine_of_alice.cancel(execution_id)
    with database.transaction() as session:
        retrying.retry_execution(session, session.get_one(Execution, execution_id), bob.user.id)
    engine_of_alice.drain()
    for who in (engine_of_alice.caller, Principal(bob.user.id, "bob")):
        with pytest.raises(NotAnApprover):
            decide(engine_of_alice, execution_id, who)
    carol = person(app, database, alice, "carol")
    assert decide(engine_of_alice, execution_id, Principal(carol.user.id, "carol")).execution.status == "succeeded"


def test_who_wrote_a_schedule_does_not_approve_what_it_starts(
    app: Flask, client: FlaskClient, database: Database, alice: Person, engine_of_alice: Engine
) -> None:
    clock = [{"trigger_type": "schedule", "config": {"cron_expression": "* * * * *"}}]
    definition = pipeline(stage("deploy", approval={"not_by_starter": True}), triggers=clock)
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/pipelines"
    made = data_of(client.post(path, json=definition, headers=alice.headers), 201)
    bob = person(app, database, alice, "bob")
    data_of(client.put(f"{API}/pipelines/{made['id']}", json=definition, headers=bob.headers))
    with database.transaction() as session:
        session.execute(update(Schedule).values(next_at=Schedule.created_at))
    with database.transaction() as session:
        due = run_next_due(session)
        assert due is not None
        assert due.last_execution_id is not None
        execution_id = due.last_execution_id
    engine_of_alice.drain()
    with pytest.raises(NotAnApprover):
        decide(engine_of_alice, execution_id, Principal(bob.user.id, "bob"))
    assert decide(engine_of_alice, execution_id).execution.status == "succeeded"


def test_that_a_stage_waits_is_announced(engine_of_alice: Engine) -> None:
    execution_id = wait(engine_of_alice, approvers=["bob"])
    with engine_of_alice.database.transaction() as session:
        of_type = select(EventRecord).where(EventRecord.type == "pipeline.approval_requested")
        told = session.scalars(of_type).one()
    assert told.topics == [f"workspace:{engine_of_alice.workspace.id}"]
    assert (told.data["execution_id"], told.data["stage"]) == (str(execution_id), "deploy")
    assert told.data["approvers"] == ["bob"]


def test_when_is_a_spelling_of_conditions(engine_of_alice: Engine) -> None:
    steps = [step("bad", "exit 1"), step("next"), step("mend", when="on_failure"), step("clean", when="always")]
    seen = engine_of_alice.run(
        pipeline(
            stage("build", *steps),
            stage("report", needs=["build"], when="on_failure"),
            stage("report main", needs=["build"], when="on_failure", condition="BRANCH == 'x' || BRANCH == 'main'"),
            stage("report dev", needs=["build"], when="on_failure", condition="BRANCH == 'dev'"),
            stage("clean", needs=["build"], when="always"),
            stage("ship", needs=["build"], when="on_success"),
        )
    )
    assert seen.statuses == {
        "build": "failed",
        "report": "succeeded",
        "report main": "succeeded",
        "report dev": "skipped",
        "clean": "succeeded",
        "ship": "skipped",
    }
    names = ("bad", "next", "mend", "clean")
    ends = [seen.step_statuses[f"build/{name}"] for name in names]
    assert ends == ["failed", "skipped", "succeeded", "succeeded"]
