"""Environments: what was deployed where, one at a time, and who may deploy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.jobs import QUEUED, Job
from app.kernel.db import Database
from app.kernel.principal import Principal
from app.pipelines import Execution, approvals
from app.pipelines.definition import DefinitionInvalid, parse_tree
from app.pipelines.errors import NotAnApprover
from app.pipelines.models import Deployment, Environment
from app.pipelines.recording import start_stage
from app.pipelines.retrying import retry_stage
from app.pipelines.service import Pipeline, Start, start_execution
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, Seen, pipeline, stage, step
from tests.support.repositories import Repository
from tests.support.secrets import keep_secret
from tests.support.work import make_runtime

API = "/api/v1"
URL = {"name": "production", "url": "https://${BRANCH}.example.com/"}


def release(script: str = "true", target: Any = "production", **fields: Any) -> dict[str, Any]:
    return pipeline(stage("deploy", script, deploys_to=target, **fields))


def environment_of(engine: Engine) -> Environment:
    with engine.database.transaction() as session:
        return session.scalars(select(Environment)).one()


def protect(engine: Engine, **fields: Any) -> None:
    """Make the environment, protected so."""
    with engine.database.transaction() as session:
        places = {"organization_id": engine.workspace.organization_id, "workspace_id": engine.workspace.id}
        session.add(Environment(id=UUID(int=7), name="production", **places, **fields))


def history(engine: Engine) -> list[Deployment]:
    with engine.database.transaction() as session:
        return list(session.scalars(select(Deployment).order_by(Deployment.started_at, Deployment.id)))


def run_but_stages(engine: Engine) -> None:
    """Do all that is due but the stages themselves."""
    runtime = make_runtime(engine.database, engine.tools)
    due = (
        select(Job.id).where(Job.status == QUEUED, Job.kind != "pipelines.run_stage").order_by(Job.created_at).limit(1)
    )
    while True:
        with engine.database.transaction() as session:
            job_id = session.scalar(due)
        if job_id is None:
            return
        runtime.run_job(job_id)


def again(engine: Engine, execution_id: UUID, *, by_hand: bool = True, **start: Any) -> UUID:
    """Start another execution of the same pipeline: by Alice's hand or, as a delivery does, by nobody's."""
    with engine.database.transaction() as session:
        found = session.get_one(Pipeline, session.get_one(Execution, execution_id).pipeline_id)
        return start_execution(
            session, found, engine.workspace, Start(**start), engine.caller if by_hand else None
        ).execution.id


def test_a_deployment_is_told_of_with_all_there_is_to_know(
    engine_of_alice: Engine, client: FlaskClient, alice: Person
) -> None:
    seen = engine_of_alice.run(release(target=URL))
    assert seen.statuses == {"deploy": "succeeded"}
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/environments"
    (found,) = data_of(client.get(path, headers=alice.headers))
    (deployed,) = data_of(client.get(f"{API}/environments/{found['id']}/deployments", headers=alice.headers))
    assert found["live"] == deployed
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


@pytest.mark.parametrize(
    ("rules", "start", "said"),
    [
        ({"branch_patterns": ["main", "release/*"]}, {"branch": "dev"}, "takes branches main, release/* only"),
        ({"branch_patterns": ["main"]}, {"tag": "v1"}, "this run is of the tag v1"),
        ({"tag_patterns": ["v*"]}, {"branch": "main"}, "takes tags v* only"),
        ({"branch_patterns": ["main"]}, {"branch": "main", "by_hand": True}, "somebody chose the run's commit"),
        ({}, {"branch": "pull/7", "trusted": False}, "nobody has approved: it deploys nowhere"),
    ],
)
def test_a_run_that_the_environment_does_not_take_is_refused(
    engine_of_alice: Engine, shop: Repository, rules: dict[str, Any], start: dict[str, Any], said: str
) -> None:
    protect(engine_of_alice, **rules)
    first = engine_of_alice.start(release(retry_count=2, condition="TAG or BRANCH"), branch="gone")
    head = shop.git("rev-parse", "HEAD")
    seen = engine_of_alice.look(again(engine_of_alice, first, **{"by_hand": False, "commit_sha": head, **start}))
    engine_of_alice.drain()
    seen = engine_of_alice.look(seen.execution.id)
    assert seen.statuses == {"deploy": "failed"}
    assert said in (seen.stages["deploy"].reason or "")
    assert (seen.execution.error or {})["code"] == "DEPLOYMENT_REFUSED"
    assert history(engine_of_alice) == []


@pytest.mark.parametrize("start", [{"branch": "main"}, {}])
def test_a_run_of_a_branch_that_it_takes_deploys(engine_of_alice: Engine, start: dict[str, Any]) -> None:
    protect(engine_of_alice, branch_patterns=["ma*"], tag_patterns=["v*"])
    assert engine_of_alice.run(release(), **start).statuses == {"deploy": "succeeded"}


def decide(engine: Engine, seen: Seen, caller: Principal) -> Seen:
    with engine.database.transaction() as session:
        approvals.decide(session, session.get_one(Execution, seen.execution.id), "deploy", caller, approve=True)
    engine.drain()
    return engine.look(seen.execution.id)


def test_its_approvers_take_the_place_of_those_the_stage_names(
    app: Flask, database: Database, engine_of_alice: Engine, client: FlaskClient, alice: Person
) -> None:
    bob = make_person(app, database, "bob").user
    protect(engine_of_alice, approvers=["bob"])
    seen = engine_of_alice.run(release(approval={"approvers": ["alice"], "description": "Is it Friday?"}))
    assert seen.statuses == {"deploy": "waiting"}
    assert history(engine_of_alice) == []
    shown = data_of(client.get(f"{API}/executions/{seen.execution.id}", headers=alice.headers))["stages"][0]["approval"]
    assert (shown["approvers"], shown["description"]) == (["bob"], "Is it Friday?")
    with pytest.raises(NotAnApprover):
        decide(engine_of_alice, seen, engine_of_alice.caller)
    assert decide(engine_of_alice, seen, Principal(bob.id, "bob")).statuses == {"deploy": "succeeded"}


def test_who_began_the_run_may_not_let_it_through_where_the_environment_says_so(
    engine_of_alice: Engine, app: Flask, database: Database
) -> None:
    bob = make_person(app, database, "bob").user
    protect(engine_of_alice, approvers=["alice", "bob"], not_by_starter=True)
    seen = engine_of_alice.run(release())
    with pytest.raises(NotAnApprover):
        decide(engine_of_alice, seen, engine_of_alice.caller)
    assert decide(engine_of_alice, seen, Principal(bob.id, "bob")).statuses == {"deploy": "succeeded"}


def test_its_secrets_are_for_stages_that_deploy_to_it(engine_of_alice: Engine) -> None:
    protect(engine_of_alice)
    vault = engine_of_alice.tools.vault
    keep_secret(engine_of_alice.database, vault, engine_of_alice.workspace, "TOKEN", "of-the-workspace")
    keep_secret(engine_of_alice.database, vault, environment_of(engine_of_alice), "TOKEN", "of-production")
    look = step("s", 'echo "$TOKEN" | tr a-z A-Z', secrets=["TOKEN"])
    seen = engine_of_alice.run(pipeline(stage("test", look), stage("deploy", look, deploys_to="production")))
    texts = [engine_of_alice.text_of(seen.steps[name]) for name in ("test/s", "deploy/s")]
    assert texts == [["OF-THE-WORKSPACE"], ["OF-PRODUCTION"]]


def test_an_environment_is_made_changed_and_deleted(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/environments"
    made = data_of(client.post(path, json={"name": "production"}, headers=alice.headers), 201)
    assert (made["live"], made["approvers"], made["not_by_starter"]) == (None, [], False)
    again = client.post(path, json={"name": "production"}, headers=alice.headers)
    assert error_of(again, 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    place = f"{API}/environments/{made['id']}"
    changed = client.patch(place, json={"branch_patterns": ["main"], "approvers": ["role:lead"]}, headers=alice.headers)
    assert (data_of(changed)["branch_patterns"], data_of(changed)["approvers"]) == (["main"], ["role:lead"])
    assert data_of(client.put(place, json={"description": "Live"}, headers=alice.headers))["branch_patterns"] == []
    assert client.delete(place, headers=alice.headers).status_code == 204
    assert data_of(client.get(path, headers=alice.headers)) == []


@pytest.mark.parametrize(
    "body", [{"name": "a/b"}, {"name": ""}, {"name": "a", "approvers": ["a b"]}, {"name": "a", "branch_patterns": [""]}]
)
def test_an_environment_that_no_stage_could_name_is_refused(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, body: dict[str, Any]
) -> None:
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/environments"
    error_of(client.post(path, json=body, headers=alice.headers), 422)


def test_an_environment_stays_while_something_deploys_to_it(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    execution_id = engine_of_alice.start(release())
    place = f"{API}/environments/{environment_of(engine_of_alice).id}"
    assert error_of(client.delete(place, headers=alice.headers), 409)["code"] == "INVALID_STATE"
    engine_of_alice.drain()
    assert client.delete(place, headers=alice.headers).status_code == 204
    engine_of_alice.retry_stage(execution_id, "deploy")
    engine_of_alice.drain()
    assert (environment_of(engine_of_alice).live or Deployment()).execution_id == execution_id


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("member", 403), ("admin", 200)])
def test_protection_is_changed_by_those_who_write_secrets(
    app: Flask,
    client: FlaskClient,
    alice: Person,
    database: Database,
    engine_of_alice: Engine,
    role: str,
    status: int,
) -> None:
    protect(engine_of_alice, approvers=["alice"])
    person = make_person(app, database, "victor")
    join(database, person, alice.organization_id, role)
    place = f"{API}/environments/{UUID(int=7)}"
    assert client.get(place, headers=person.headers).status_code == 200
    assert client.patch(place, json={"approvers": []}, headers=person.headers).status_code == status


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ({"url": "https://x"}, "stages[0].deploys_to.name"),
        ({"name": "a", "url": "javascript:alert(1)"}, "stages[0].deploys_to.url"),
        ({"name": "a", "url": "https://${matrix.os}"}, "stages[0].deploys_to.url"),
        ("a/b", "stages[0].deploys_to"),
        (["a"], "stages[0].deploys_to"),
    ],
)
def test_a_target_that_cannot_be_read_is_refused(target: Any, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_tree(release(target=target))
    assert [fault.path for fault in refused.value.faults] == [path]


def test_an_address_that_values_make_something_else_of_is_none(engine_of_alice: Engine) -> None:
    target = {"name": "production", "url": "https://${HOST}/"}
    engine_of_alice.run(release(target=target), variables={"HOST": "x y\nz"})
    assert [one.url for one in history(engine_of_alice)] == [None]
