"""Environments: what was deployed where, one at a time, and who may deploy."""

from __future__ import annotations

from itertools import pairwise

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.kernel.db import Database
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.pipelines import Execution
from app.pipelines.models import Deployment, Environment
from app.pipelines.recording import start_stage
from app.pipelines.retrying import retry_stage
from tests.support.environments import again, decide, environment_of, history, release, run_but_stages
from tests.support.identity import Person, data_of, make_person
from tests.support.pipelines import Engine, pipeline, stage

pytestmark = pytest.mark.slow

API = "/api/v1"
URL = {"name": "production", "url": "https://${BRANCH}.example.com/"}


def test_a_deployment_is_told_of_with_all_there_is_to_know(
    engine_of_alice: Engine, client: FlaskClient, alice: Person
) -> None:
    seen = engine_of_alice.run(release(target=URL))
    assert seen.statuses == {"deploy": "succeeded"}
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/environments"
    (found,) = data_of(client.get(path, headers=alice.headers))
    (deployed,) = data_of(client.get(f"{API}/environments/{found['id']}/deployments", headers=alice.headers))
    assert found["live"] == deployed
    assert found["updated_at"] == found["created_at"]
    assert data_of(client.get(f"{API}/environments/{found['id']}", headers=alice.headers)) == found
    expected = {
        "execution_id": str(seen.execution.id),
        "stage": "deploy",
        "attempt": 1,
        "status": "succeeded",
        "branch": "main",
        "tag": None,
        "commit_sha": seen.execution.commit_sha,
        "url": "https://main.example.com/",
        "created_by": str(alice.user.id),
    }
    assert {name: deployed[name] for name in expected} == expected
    assert deployed["finished_at"] >= deployed["started_at"]
    shown = data_of(client.get(f"{API}/executions/{seen.execution.id}", headers=alice.headers))
    assert shown["stages"][0]["environment_id"] == found["id"]


def test_what_failed_is_in_the_history_and_not_live(engine_of_alice: Engine) -> None:
    engine_of_alice.run(release())
    before = environment_of(engine_of_alice).live_id
    seen = engine_of_alice.run(
        pipeline(stage("deploy", "exit 1", deploys_to="production", retry_count=1), name="other")
    )
    assert [one.status for one in history(engine_of_alice)] == ["succeeded", "failed", "failed"]
    assert [one.attempt for one in history(engine_of_alice)] == [1, 1, 2]
    assert environment_of(engine_of_alice).live_id == before
    assert seen.execution.status == "failed"


def test_running_the_stage_again_deploys_again_by_whoever_asked(
    app: Flask, database: Database, engine_of_alice: Engine
) -> None:
    first = engine_of_alice.run(release()).execution.id
    second = again(engine_of_alice, first)
    engine_of_alice.drain()
    assert (environment_of(engine_of_alice).live or Deployment()).execution_id == second
    bob = make_person(app, database, "bob").user.id
    with database.transaction() as session:
        retry_stage(session, session.get_one(Execution, first), "deploy", bob)
    engine_of_alice.drain()
    live = environment_of(engine_of_alice).live or Deployment()
    assert (live.execution_id, live.created_by, live.attempt) == (first, bob, 2)


def test_a_stage_waits_for_the_deployment_that_goes_on(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(release())
    second, third = again(engine_of_alice, first), again(engine_of_alice, first)
    run_but_stages(engine_of_alice)
    held = [engine_of_alice.look(one).stages["deploy"] for one in (first, second, third)]
    assert [one.job_id is None for one in held] == [False, True, True]
    assert [one.reason for one in held] == [None, *["Waits for its turn to deploy to production."] * 2]
    assert {one.status for one in held} == {"queued"}
    engine_of_alice.drain()
    done = history(engine_of_alice)
    assert [(one.execution_id, one.status) for one in done] == [(one, "succeeded") for one in (first, second, third)]
    for earlier, later in pairwise(done):
        assert earlier.finished_at is not None
        assert earlier.finished_at <= later.started_at


def test_what_waits_for_its_turn_is_judged_by_the_protection_of_that_moment(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(release())
    second = again(engine_of_alice, first)
    run_but_stages(engine_of_alice)
    with engine_of_alice.database.transaction() as session:
        session.execute(update(Environment).values(approvers=["bob"]))
    engine_of_alice.drain()
    assert engine_of_alice.look(first).statuses == {"deploy": "succeeded"}
    assert engine_of_alice.look(second).statuses == {"deploy": "waiting"}
    with engine_of_alice.database.transaction() as session:
        session.execute(update(Environment).values(branch_patterns=["release/*"]))
    decided = decide(engine_of_alice, engine_of_alice.look(second), Principal(new_id(), "bob"))
    assert decided.statuses == {"deploy": "failed"}
    assert len(history(engine_of_alice)) == 1


def test_cells_of_a_matrix_deploy_one_after_the_other(engine_of_alice: Engine) -> None:
    cells = {"matrix": {"region": ["eu", "us"]}}
    execution_id = engine_of_alice.start(release(target={"name": "production"}, **cells))
    run_but_stages(engine_of_alice)
    assert sum(one.job_id is not None for one in engine_of_alice.look(execution_id).stages.values()) == 1
    engine_of_alice.drain()
    assert engine_of_alice.look(execution_id).execution.status == "succeeded"
    assert len(history(engine_of_alice)) == 2


def test_other_environments_do_not_wait(engine_of_alice: Engine) -> None:
    both = pipeline(stage("a", deploys_to="staging"), stage("b", deploys_to="production"))
    execution_id = engine_of_alice.start(both)
    run_but_stages(engine_of_alice)
    assert all(one.job_id for one in engine_of_alice.look(execution_id).stages.values())


def test_one_that_waits_for_its_turn_can_be_cancelled_and_is_passed_over(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(release())
    second, third = again(engine_of_alice, first), again(engine_of_alice, first)
    run_but_stages(engine_of_alice)
    engine_of_alice.cancel(second)
    assert engine_of_alice.look(second).execution.status == "cancelled"
    engine_of_alice.cancel(first)
    engine_of_alice.drain()
    assert engine_of_alice.look(third).execution.status == "succeeded"
    assert [one.execution_id for one in history(engine_of_alice)] == [third]


def test_waiting_for_a_turn_takes_nothing_of_the_time_it_may_run(engine_of_alice: Engine) -> None:
    first = engine_of_alice.start(release())
    second = again(engine_of_alice, first)
    run_but_stages(engine_of_alice)
    before = engine_of_alice.look(second).execution.deadline_at
    engine_of_alice.drain()
    after = engine_of_alice.look(second).execution.deadline_at
    assert before is not None
    assert after is not None
    assert after > before


def test_a_stage_that_is_skipped_deploys_nothing(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(release(condition="BRANCH == 'other'"))
    assert seen.statuses == {"deploy": "skipped"}
    assert history(engine_of_alice) == []


def test_a_deployment_whose_worker_was_lost_has_ended(engine_of_alice: Engine) -> None:
    execution_id = engine_of_alice.start(release())
    run_but_stages(engine_of_alice)
    with engine_of_alice.database.transaction() as session:
        start_stage(session, engine_of_alice.look(execution_id).stages["deploy"].id)
    engine_of_alice.drain()
    assert [(one.attempt, one.status) for one in history(engine_of_alice)] == [(1, "cancelled"), (2, "succeeded")]
