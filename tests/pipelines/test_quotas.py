"""How many executions of an organization may be unfinished, by its plan; whatever starts one is told."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.kernel.db import Database
from app.pipelines import Execution, QuotaExceeded, apply_quotas, run_next_due, start_followers
from app.pipelines.models import Schedule
from app.tenancy import Organization
from tests.support.deliveries import ALL, deliver, deliveries, make_secret
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.tenancy import make_workspace

pytestmark = pytest.mark.slow

API = "/api/v1"


@pytest.fixture(autouse=True)
def quotas(database: Database) -> None:
    with database.transaction() as session:
        apply_quotas(session, {"free": 1, "standard": 2, "pro": 3, "enterprise": 0})


def executions(engine: Engine) -> int:
    with engine.database.transaction() as session:
        return len(session.scalars(select(Execution.id)).all())


def fill(engine: Engine) -> UUID:
    """Start as many as there may be; return the pipeline."""
    first = engine.start(pipeline(stage("a"), name="one"))
    engine.start(pipeline(stage("a"), name="two"))
    with engine.database.transaction() as session:
        return session.get_one(Execution, first).pipeline_id


def test_one_too_many_is_refused_until_another_has_ended(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    path = f"{API}/pipelines/{fill(engine_of_alice)}/executions"
    error = error_of(client.post(path, json={}, headers=alice.headers), 422)
    assert (error["code"], error["details"]) == ("QUOTA_EXCEEDED", {"limit": 2, "unfinished": 2})
    assert executions(engine_of_alice) == 2
    engine_of_alice.drain()
    data_of(client.post(path, json={}, headers=alice.headers), 202)


@pytest.mark.parametrize(("plan", "status"), [("free", 422), ("pro", 202), ("enterprise", 202)])
def test_the_plan_says_how_many(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, database: Database, plan: str, status: int
) -> None:
    path = f"{API}/pipelines/{fill(engine_of_alice)}/executions"
    with database.transaction() as session:
        session.execute(update(Organization).values(plan=plan))
    assert client.post(path, json={}, headers=alice.headers).status_code == status


def test_others_have_a_quota_of_their_own(app: Flask, engine_of_alice: Engine, database: Database) -> None:
    fill(engine_of_alice)
    bob = make_person(app, database, "bob")
    theirs = make_workspace(database, bob, "Bob's", repository_url=engine_of_alice.workspace.repository_url)
    Engine(database, engine_of_alice.tools, theirs).start(pipeline(stage("a")))


def test_running_again_counts_as_well(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    done = engine_of_alice.run(pipeline(stage("a", "exit 1"), name="done")).execution
    fill(engine_of_alice)
    for path in (f"executions/{done.id}/retry", f"executions/{done.id}/stages/a/retry", f"jobs/{done.job_id}/retry"):
        error = error_of(client.post(f"{API}/{path}", json={}, headers=alice.headers), 422)
        assert error["code"] == "QUOTA_EXCEEDED"


def test_a_delivery_says_why_it_started_nothing(client: FlaskClient, alice: Person, database: Database) -> None:
    workspace = make_workspace(database, alice, repository_url="git@github.com:codertocat/hello-world.git")
    secret = make_secret(client, alice, workspace)
    path = f"{API}/workspaces/{workspace.id}/pipelines"
    for name in ("a", "b", "c"):
        body = pipeline(stage("a"), name=name, triggers=ALL)
        data_of(client.post(path, json=body, headers=alice.headers), 201)
    assert data_of(deliver(client, "github_push", secret))["executions_triggered"] == 2
    (told,) = deliveries(client, alice, workspace)
    assert [one["reason"] for one in told["executions"]] == [
        None,
        None,
        "The organization has 2 unfinished executions; its plan allows 2.",
    ]


def test_a_chain_ends_at_the_quota_and_says_so(engine_of_alice: Engine) -> None:
    for name in ("b", "c", "d"):
        follow = [{"trigger_type": "pipeline", "config": {"pipeline": "one"}}]
        with engine_of_alice.database.transaction() as session:
            session.execute(update(Organization).values(plan="enterprise"))
        engine_of_alice.start(pipeline(stage("a"), name=name, triggers=follow))
    engine_of_alice.drain()
    with engine_of_alice.database.transaction() as session:
        session.execute(update(Organization).values(plan="standard"))
    ended = engine_of_alice.run(pipeline(stage("a"), name="one")).execution
    with engine_of_alice.database.transaction() as session:
        result = start_followers(session, ended.id, "succeeded", "test")
    assert len(result["started"]) == 2
    assert [one["reason"] for one in result["refused"]] == [
        "The organization has 2 unfinished executions; its plan allows 2."
    ]


def test_a_schedule_that_is_due_says_why_it_started_nothing(engine_of_alice: Engine) -> None:
    clock = [{"trigger_type": "schedule", "config": {"cron_expression": "* * * * *"}}]
    fill(engine_of_alice)
    with engine_of_alice.database.transaction() as session:
        session.execute(update(Organization).values(plan="enterprise"))
    engine_of_alice.start(pipeline(stage("a"), name="nightly", triggers=clock))
    with engine_of_alice.database.transaction() as session:
        session.execute(update(Organization).values(plan="standard"))
        session.execute(update(Schedule).values(next_at=Schedule.created_at))
    with engine_of_alice.database.transaction() as session:
        due = run_next_due(session)
        assert due is not None
        assert due.last_execution_id is None
        assert due.reason == "The organization has 3 unfinished executions; its plan allows 2."


def test_a_plan_without_a_limit_has_none(engine_of_alice: Engine, database: Database) -> None:
    with database.transaction() as session:
        apply_quotas(session, {"standard": 0})
    fill(engine_of_alice)
    engine_of_alice.start(pipeline(stage("a"), name="three"))
    with database.transaction() as session:
        apply_quotas(session, {"standard": 1})
    with pytest.raises(QuotaExceeded):
        engine_of_alice.start(pipeline(stage("a"), name="four"))
