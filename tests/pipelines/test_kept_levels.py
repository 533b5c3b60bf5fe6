"""Secrets and variables of organizations and pipelines, beside those of workspaces: the nearest holds."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.audit import AuditEntry
from app.kernel.db import Database
from app.pipelines import Pipeline
from app.tenancy import Organization
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, Seen, pipeline, stage, step
from tests.support.secrets import keep_secret, tables_that_show
from tests.support.tenancy import make_workspace

API = "/api/v1"
PRINT = 'echo "$TOKEN" | tr a-z A-Z'


@pytest.fixture(params=["organization", "workspace", "pipeline"])
def holder(request: pytest.FixtureRequest, engine_of_alice: Engine, client: FlaskClient, alice: Person) -> str:
    """The path of each kind of holder."""
    workspace = engine_of_alice.workspace
    if request.param != "pipeline":
        ids = {"organization": workspace.organization_id, "workspace": workspace.id}
        return f"{API}/{request.param}s/{ids[request.param]}"
    path = f"{API}/workspaces/{workspace.id}/pipelines"
    return f"{API}/pipelines/{data_of(client.post(path, json=pipeline(stage('a')), headers=alice.headers), 201)['id']}"


class Levels:
    """One execution that has not begun, and secrets for it at each level."""

    def __init__(self, engine: Engine, script: str = PRINT, **start: Any) -> None:
        self.engine = engine
        prints = stage("a", step("print", script, secrets=["TOKEN"]), step("other", 'echo "${#TOKEN}"'))
        self.execution_id = engine.start(pipeline(prints), **start)
        with engine.database.transaction() as session:
            self.organization = session.get_one(Organization, engine.workspace.organization_id)
            self.pipeline = session.scalars(select(Pipeline)).one()

    def keep(self, level: str, **fields: Any) -> None:
        row = {"workspace": self.engine.workspace}.get(level) or getattr(self, level)
        keep_secret(self.engine.database, self.engine.tools.vault, row, "TOKEN", f"value-of-the-{level}", **fields)

    def run(self) -> Seen:
        self.engine.drain()
        return self.engine.look(self.execution_id)


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        (["organization"], "ORGANIZATION"),
        (["organization", "workspace"], "WORKSPACE"),
        (["organization", "workspace", "pipeline"], "PIPELINE"),
        (["organization", "pipeline"], "PIPELINE"),
    ],
)
def test_a_step_that_names_a_secret_finds_the_nearest(engine_of_alice: Engine, levels: list[str], found: str) -> None:
    world = Levels(engine_of_alice)
    for level in levels:
        world.keep(level)
    seen = world.run()
    assert engine_of_alice.text_of(seen.steps["a/print"]) == [f"VALUE-OF-THE-{found}"]
    assert engine_of_alice.text_of(seen.steps["a/other"]) == ["0"]


@pytest.mark.parametrize("level", ["organization", "pipeline"])
def test_it_is_masked_and_kept_nowhere_in_clear(engine_of_alice: Engine, level: str) -> None:
    world = Levels(engine_of_alice, 'echo "$TOKEN"')
    world.keep(level)
    assert engine_of_alice.text_of(world.run().steps["a/print"]) == ["***"]
    assert tables_that_show(engine_of_alice.database, f"value-of-the-{level}") == []


def test_an_organizations_secret_may_be_for_some_workspaces_only(
    engine_of_alice: Engine, database: Database, alice: Person
) -> None:
    other = make_workspace(database, alice, "Another shop", repository_url=engine_of_alice.workspace.repository_url)
    world = Levels(engine_of_alice)
    world.keep("organization", workspace_ids=[other.id])
    assert world.run().steps["a/print"].status == "failed"
    there = Engine(database, engine_of_alice.tools, other)
    seen = there.run(pipeline(stage("a", step("print", PRINT, secrets=["TOKEN"]))))
    assert there.text_of(seen.steps["a/print"]) == ["VALUE-OF-THE-ORGANIZATION"]


def test_another_pipeline_and_another_organization_find_nothing(
    app: Flask, engine_of_alice: Engine, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    elsewhere = make_workspace(database, bob, "Bob's", repository_url=engine_of_alice.workspace.repository_url)
    world = Levels(engine_of_alice)
    world.keep("organization")
    seen = Engine(database, engine_of_alice.tools, elsewhere).run(
        pipeline(stage("a", step("print", PRINT, secrets=["TOKEN"])))
    )
    assert "no secret TOKEN" in (seen.steps["a/print"].reason or "")


@pytest.mark.parametrize("level", ["organization", "workspace", "pipeline"])
def test_code_of_a_fork_gets_none_of_any_level(engine_of_alice: Engine, level: str) -> None:
    world = Levels(engine_of_alice, trusted=False)
    world.keep(level)
    seen = world.run()
    assert seen.steps["a/print"].status == "failed"
    assert "pull request from a fork" in (seen.steps["a/print"].reason or "")


def test_each_holder_keeps_names_changes_and_forgets(client: FlaskClient, alice: Person, holder: str) -> None:
    path = f"{holder}/secrets"
    made = data_of(client.post(path, json={"name": "TOKEN", "value": "one-value"}, headers=alice.headers), 201)
    assert (made["name"], made["workspace_ids"], "value" in made) == ("TOKEN", None, False)
    assert data_of(client.get(path, headers=alice.headers)) == [made]
    again = client.post(path, json={"name": "TOKEN", "value": "x"}, headers=alice.headers)
    assert error_of(again, 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    for method in ("PUT", "PATCH"):
        changed = client.open(f"{path}/TOKEN", method=method, json={"value": "x"}, headers=alice.headers)
        assert data_of(changed)["updated_at"] > made["updated_at"]
    assert client.delete(f"{path}/TOKEN", headers=alice.headers).status_code == 204
    assert data_of(client.get(path, headers=alice.headers)) == []


def test_what_is_written_is_in_the_audit_log_without_its_value(
    client: FlaskClient, alice: Person, database: Database, holder: str
) -> None:
    client.post(f"{holder}/secrets", json={"name": "TOKEN", "value": "one-value"}, headers=alice.headers)
    client.put(f"{holder}/secrets/TOKEN", json={"value": "another-value"}, headers=alice.headers)
    with database.transaction() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.resource_type == "secret")).all()
    assert len(entries) == 2
    assert {entry.organization_id for entry in entries} == {alice.organization_id}
    for value in ("one-value", "another-value"):
        assert tables_that_show(database, value) == []


def test_the_workspaces_of_a_secret_are_those_of_its_organization(
    app: Flask, client: FlaskClient, alice: Person, database: Database
) -> None:
    workspace = make_workspace(database, alice)
    strange = make_workspace(database, make_person(app, database, "bob"), "Bob's")
    path = f"{API}/organizations/{alice.organization_id}/secrets"
    body = {"name": "TOKEN", "value": "x", "workspace_ids": [str(workspace.id)]}
    assert data_of(client.post(path, json=body, headers=alice.headers), 201)["workspace_ids"] == [str(workspace.id)]
    kept = data_of(client.put(f"{path}/TOKEN", json={"value": "y"}, headers=alice.headers))
    assert kept["workspace_ids"] == [str(workspace.id)]
    for_all = data_of(client.patch(f"{path}/TOKEN", json={"workspace_ids": None}, headers=alice.headers))
    assert for_all["workspace_ids"] is None
    for wrong in (strange.id, uuid4()):
        reply = client.patch(f"{path}/TOKEN", json={"workspace_ids": [str(wrong)]}, headers=alice.headers)
        assert [fault["field"] for fault in error_of(reply, 422)["errors"]] == ["workspace_ids"]
    own = f"{API}/workspaces/{workspace.id}/secrets"
    assert error_of(client.post(own, json=body, headers=alice.headers), 422)["errors"][0]["field"] == "workspace_ids"


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("member", 403), ("admin", 201)])
def test_secrets_of_any_level_are_written_by_administrators(
    app: Flask, client: FlaskClient, alice: Person, database: Database, holder: str, role: str, status: int
) -> None:
    person = make_person(app, database, "victor")
    join(database, person, alice.organization_id, role)
    body = {"name": "TOKEN", "value": "x"}
    assert client.post(f"{holder}/secrets", json=body, headers=person.headers).status_code == status
    assert client.get(f"{holder}/secrets", headers=person.headers).status_code == 200


def test_a_variable_of_each_level_is_found_and_the_nearest_holds(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    workspace = engine_of_alice.workspace
    definition = pipeline(stage("a", 'echo "$A $B $C $D"'), environment={"D": "definition"})
    path = f"{API}/workspaces/{workspace.id}/pipelines"
    made = data_of(client.post(path, json=definition, headers=alice.headers), 201)
    names = {
        f"organizations/{workspace.organization_id}": "ABCD",
        f"workspaces/{workspace.id}": "BCD",
        f"pipelines/{made['id']}": "CD",
    }
    for holder, kept in names.items():
        for name in kept:
            body = {"name": name, "value": holder.partition("/")[0]}
            data_of(client.post(f"{API}/{holder}/variables", json=body, headers=alice.headers), 201)
    started = client.post(f"{API}/pipelines/{made['id']}/executions", json={}, headers=alice.headers)
    execution_id = UUID(data_of(started, 202)["id"])
    engine_of_alice.drain()
    seen = engine_of_alice.look(execution_id)
    assert engine_of_alice.text_of(seen.steps["a/run"]) == ["organizations workspaces pipelines definition"]
