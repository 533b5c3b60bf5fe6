"""Who may deploy to an environment, who says so, and whose secrets it has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.kernel.principal import Principal
from app.pipelines.definition import DefinitionInvalid, parse_tree
from app.pipelines.errors import NotAnApprover
from app.pipelines.models import Deployment
from tests.support.environments import again, decide, environment_of, history, protect, release
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, pipeline, stage, step
from tests.support.repositories import Repository
from tests.support.secrets import keep_secret

API = "/api/v1"


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


@pytest.mark.parametrize("own", [{}, {"approval": {"approvers": ["alice", "bob"]}}])
def test_nor_where_it_names_no_approvers(
    engine_of_alice: Engine, app: Flask, database: Database, own: dict[str, Any]
) -> None:
    bob = make_person(app, database, "bob").user
    protect(engine_of_alice, not_by_starter=True)
    seen = engine_of_alice.run(release(**own))
    assert seen.statuses == {"deploy": "waiting"}
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
