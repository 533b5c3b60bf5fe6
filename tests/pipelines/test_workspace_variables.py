"""Variables of a workspace: kept over HTTP, found by steps unless something nearer names them too."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.pipelines import variables
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, pipeline, stage, step


@pytest.fixture
def path(engine_of_alice: Engine) -> str:
    return f"/api/v1/workspaces/{engine_of_alice.workspace.id}/variables"


def put_up(client: FlaskClient, alice: Person, path: str, name: str, value: str) -> dict[str, Any]:
    made: dict[str, Any] = data_of(client.post(path, json={"name": name, "value": value}, headers=alice.headers), 201)
    return made


def test_a_variable_is_kept_read_changed_and_deleted(client: FlaskClient, alice: Person, path: str) -> None:
    made = put_up(client, alice, path, "REGION", "eu")
    assert (made["name"], made["value"], made["created_by"]) == ("REGION", "eu", str(alice.user.id))
    assert data_of(client.get(path, headers=alice.headers)) == [made]
    for method, value in (("PUT", "us"), ("PATCH", "")):
        changed = client.open(f"{path}/REGION", method=method, json={"value": value}, headers=alice.headers)
        assert data_of(changed)["value"] == value
    assert data_of(client.get(f"{path}/REGION", headers=alice.headers))["value"] == ""
    again = client.post(path, json={"name": "REGION", "value": "x"}, headers=alice.headers)
    assert error_of(again, 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    assert client.delete(f"{path}/REGION", headers=alice.headers).status_code == 204
    assert error_of(client.get(f"{path}/REGION", headers=alice.headers), 404)["details"]["resource_type"] == "variable"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "A"}, "value"),
        ({"name": "A B", "value": "x"}, "name"),
        ({"name": "1A", "value": "x"}, "name"),
        ({"name": "BRANCH", "value": "x"}, "name"),
        ({"name": "MATRIX_OS", "value": "x"}, "name"),
        ({"name": "A", "value": "x" * 4097}, "value"),
        ({"name": "A", "value": "a\0b"}, "value"),
    ],
)
def test_what_no_step_could_find_is_refused(
    client: FlaskClient, alice: Person, path: str, body: dict[str, Any], field: str
) -> None:
    error = error_of(client.post(path, json=body, headers=alice.headers), 422)
    assert [fault["field"] for fault in error["errors"]] == [field]


def test_there_are_at_most_so_many(
    client: FlaskClient, alice: Person, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variables, "MOST", 2)
    for number in range(2):
        put_up(client, alice, path, f"V{number}", "x")
    error = error_of(client.post(path, json={"name": "MORE", "value": "x"}, headers=alice.headers), 409)
    assert error["code"] == "TOO_MANY_VARIABLES"


def test_what_is_nearer_holds(client: FlaskClient, alice: Person, path: str, engine_of_alice: Engine) -> None:
    for name in ("A", "B", "C", "D", "E"):
        put_up(client, alice, path, name, "workspace")
    show = step("s", 'echo "$A $B $C $D $E"', environment={"E": "step"})
    seen = engine_of_alice.run(
        pipeline(
            stage("a", show, environment={"D": "stage"}),
            stage("b", condition="A == 'workspace'"),
            environment={"B": "pipeline", "C": "pipeline"},
        ),
        variables={"C": "start"},
    )
    assert engine_of_alice.text_of(seen.steps["a/s"]) == ["workspace pipeline start stage step"]
    assert seen.statuses == {"a": "succeeded", "b": "succeeded"}


def test_a_run_has_the_values_of_its_start(
    client: FlaskClient, alice: Person, path: str, engine_of_alice: Engine
) -> None:
    put_up(client, alice, path, "A", "before")
    execution_id = engine_of_alice.start(pipeline(stage("a", 'echo "$A"')))
    client.put(f"{path}/A", json={"value": "after"}, headers=alice.headers)
    engine_of_alice.drain()
    assert engine_of_alice.text_of(engine_of_alice.look(execution_id).steps["a/run"]) == ["before"]


def test_a_viewer_reads_and_changes_nothing(
    app: Flask, database: Database, client: FlaskClient, alice: Person, path: str
) -> None:
    put_up(client, alice, path, "A", "x")
    victor = make_person(app, database, "victor")
    join(database, victor, alice.organization_id, "viewer")
    assert len(data_of(client.get(path, headers=victor.headers))) == 1
    refused = error_of(client.put(f"{path}/A", json={"value": "y"}, headers=victor.headers), 403)
    assert refused["details"] == {"required_permission": "variables:write"}
