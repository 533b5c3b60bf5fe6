"""Secrets of a workspace over HTTP: written, named, never read."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.kernel.crypto import Undecryptable, Vault
from app.kernel.db import Database
from app.pipelines import reveal_secrets
from app.pipelines.definition.secrets import LOADER_NAMES
from app.pipelines.models import Secret
from app.tenancy import Workspace
from tasks.pipelines.gateways.sandbox import plain
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.secrets import keep_secret, tables_that_show
from tests.support.tenancy import make_workspace

VALUE = "hunter2-hunter2-hunter2"
FIELDS = {"name", "workspace_ids", "created_by", "created_at", "updated_at"}


@pytest.fixture
def workspace(database: Database, alice: Person) -> Workspace:
    return make_workspace(database, alice)


@pytest.fixture
def path(workspace: Workspace) -> str:
    return f"/api/v1/workspaces/{workspace.id}/secrets"


@pytest.fixture
def vault(app: Flask) -> Vault:
    vault: Vault = app.extensions["headrace"].vault
    return vault


@pytest.fixture
def token(database: Database, workspace: Workspace, vault: Vault) -> str:
    """The name of a secret that is there."""
    keep_secret(database, vault, workspace, "TOKEN", VALUE)
    return "TOKEN"


def revealed(database: Database, vault: Vault, workspace: Workspace) -> dict[str, str]:
    with database.transaction() as session:
        names = session.scalars(select(Secret.name)).all()
        return reveal_secrets(session, vault, workspace.id, names)


def colleague(app: Flask, database: Database, alice: Person, name: str, role: str) -> Person:
    person = make_person(app, database, name)
    join(database, person, alice.organization_id, role)
    return person


def test_a_secret_is_kept_and_its_value_never_comes_back(
    client: FlaskClient, alice: Person, database: Database, workspace: Workspace, vault: Vault, path: str
) -> None:
    made = client.post(path, json={"name": "TOKEN", "value": VALUE}, headers=alice.headers)
    assert data_of(made, 201).keys() == FIELDS
    assert data_of(made, 201)["created_by"] == str(alice.user.id)
    listed = client.get(path, headers=alice.headers)
    assert [(row["name"], row.keys()) for row in data_of(listed)] == [("TOKEN", FIELDS)]
    one = client.get(f"{path}/TOKEN", headers=alice.headers)
    assert data_of(one) == data_of(made, 201)
    for reply in (made, listed, one):
        assert VALUE not in reply.get_data(as_text=True) + str(reply.headers)
    assert revealed(database, vault, workspace) == {"TOKEN": VALUE}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_value_is_replaced(
    client: FlaskClient,
    alice: Person,
    database: Database,
    workspace: Workspace,
    vault: Vault,
    path: str,
    token: str,
    method: str,
) -> None:
    before = data_of(client.get(f"{path}/{token}", headers=alice.headers))
    reply = client.open(f"{path}/{token}", method=method, json={"value": "another-value"}, headers=alice.headers)
    after = data_of(reply)
    assert "another-value" not in reply.get_data(as_text=True)
    assert after["updated_at"] > before["updated_at"]
    assert after | {"updated_at": ""} == before | {"updated_at": ""}
    assert revealed(database, vault, workspace) == {"TOKEN": "another-value"}


def test_a_secret_is_deleted(client: FlaskClient, alice: Person, path: str, token: str) -> None:
    assert client.delete(f"{path}/{token}", headers=alice.headers).status_code == 204
    assert data_of(client.get(path, headers=alice.headers)) == []
    for method in ("GET", "PUT", "DELETE"):
        body = {"json": {"value": "x"}} if method == "PUT" else {}
        error = error_of(client.open(f"{path}/{token}", method=method, headers=alice.headers, **body), 404)
        assert error["details"] == {"resource_type": "secret", "resource_id": "TOKEN"}


def test_the_database_never_holds_a_value_in_clear(
    client: FlaskClient, alice: Person, database: Database, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = alice.headers | {"Idempotency-Key": "once"}
    first = client.post(path, json={"name": "TOKEN", "value": VALUE}, headers=headers)
    again = client.post(path, json={"name": "TOKEN", "value": VALUE}, headers=headers)
    assert data_of(again, 201) == data_of(first, 201)
    assert client.put(f"{path}/TOKEN", json={"value": VALUE}, headers=alice.headers).status_code == 200
    with database.transaction() as session:
        stored = session.execute(select(Secret.value)).scalar_one()
    assert len(stored) > len(VALUE)
    assert tables_that_show(database, VALUE) == []
    assert tables_that_show(database, "TOKEN") == ["audit_log", "workspace_secrets"]
    assert VALUE not in caplog.text


def test_a_second_secret_of_one_name_is_refused(client: FlaskClient, alice: Person, path: str, token: str) -> None:
    reply = client.post(path, json={"name": token, "value": "another-value"}, headers=alice.headers)
    assert error_of(reply, 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    assert "another-value" not in reply.get_data(as_text=True)


def test_two_workspaces_may_have_secrets_of_one_name(
    client: FlaskClient, alice: Person, database: Database, token: str
) -> None:
    other = make_workspace(database, alice, "Another shop")
    path = f"/api/v1/workspaces/{other.id}/secrets"
    data_of(client.post(path, json={"name": token, "value": "x"}, headers=alice.headers), 201)


@pytest.mark.parametrize(
    "name",
    ["", "1A", "A-B", "A B", "A\n", "Ä", "A" * 101, 5, None, "CI", "BRANCH", "CI_COMMIT_SHA", "MATRIX_X", "LD_PRELOAD"],
)
def test_a_name_that_no_step_could_find_is_refused(client: FlaskClient, alice: Person, path: str, name: Any) -> None:
    error = error_of(client.post(path, json={"name": name, "value": VALUE}, headers=alice.headers), 422)
    assert [fault["field"] for fault in error["errors"]] == ["name"]
    assert VALUE not in str(error)


def test_what_a_sandbox_would_put_on_a_command_line_is_no_name_of_a_secret() -> None:
    assert plain._FOR_THE_LOADER <= LOADER_NAMES


@pytest.mark.parametrize("value", ["", "x" * 65537, "ä" * 32769, "before\0after", 12345678, ["12345678"], None])
def test_a_value_that_no_variable_could_hold_is_refused(
    client: FlaskClient, alice: Person, path: str, token: str, value: Any
) -> None:
    for method, place, body in [("POST", path, {"name": "OTHER"}), ("PUT", f"{path}/{token}", {})]:
        reply = client.open(place, method=method, json=body | {"value": value}, headers=alice.headers)
        assert [fault["field"] for fault in error_of(reply, 422)["errors"]] == ["value"]
        assert "12345678" not in reply.get_data(as_text=True)


@pytest.mark.parametrize(
    "value", ["x", "x" * 65536, "-----BEGIN KEY-----\nabc\r\n\tdef\n", "ü€\U0001f511 $(reboot) '\"\\"]
)
def test_any_other_text_is_kept_as_it_is(
    client: FlaskClient,
    alice: Person,
    database: Database,
    workspace: Workspace,
    vault: Vault,
    path: str,
    value: str,
) -> None:
    data_of(client.post(path, json={"name": "KEY", "value": value}, headers=alice.headers), 201)
    assert revealed(database, vault, workspace) == {"KEY": value}


@pytest.mark.parametrize(
    "body", [b'{"name": "TOKEN", "value": "hunter2', b'{"name": "T", "vale": "hunter2"}', b'"hunter2"']
)
def test_a_body_that_cannot_be_read_is_not_repeated(
    client: FlaskClient, alice: Person, path: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = client.post(path, data=body, content_type="application/json", headers=alice.headers)
    assert reply.status_code in (400, 422)
    assert "hunter2" not in reply.get_data(as_text=True) + caplog.text


def every_use(client: FlaskClient, person: Person, path: str) -> list[TestResponse]:
    """Reading and writing, in this order: two ways to read, four to write."""
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", path, {}),
        ("GET", f"{path}/TOKEN", {}),
        ("POST", path, {"json": {"name": "OTHER", "value": "x"}}),
        ("PUT", f"{path}/TOKEN", {"json": {"value": "x"}}),
        ("PATCH", f"{path}/TOKEN", {"json": {"value": "x"}}),
        ("DELETE", f"{path}/TOKEN", {}),
    ]
    return [client.open(place, method=method, headers=person.headers, **body) for method, place, body in asked]


def test_for_a_stranger_there_are_no_secrets(
    client: FlaskClient, app: Flask, database: Database, path: str, token: str
) -> None:
    charlie = make_person(app, database, "charlie")
    assert [reply.status_code for reply in every_use(client, charlie, path)] == [404] * 6
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_is_no_administrator_sees_names_alone(
    client: FlaskClient, app: Flask, database: Database, alice: Person, path: str, token: str, role: str
) -> None:
    person = colleague(app, database, alice, "victor", role)
    replies = every_use(client, person, path)
    assert [reply.status_code for reply in replies] == [200, 200, 403, 403, 403, 403]
    assert error_of(replies[2], 403)["details"] == {"required_permission": "secrets:write"}


def test_an_administrator_may_do_everything(
    client: FlaskClient, app: Flask, database: Database, alice: Person, path: str, token: str
) -> None:
    person = colleague(app, database, alice, "adam", "admin")
    assert [reply.status_code for reply in every_use(client, person, path)] == [200, 200, 201, 200, 200, 204]


def test_a_workspace_shows_no_secret_of_another(
    client: FlaskClient, alice: Person, database: Database, token: str
) -> None:
    other = make_workspace(database, alice, "Another shop")
    error_of(client.get(f"/api/v1/workspaces/{other.id}/secrets/{token}", headers=alice.headers), 404)
    error_of(client.get(f"/api/v1/workspaces/{uuid4()}/secrets", headers=alice.headers), 404)


def test_a_tag_guards_a_secret_that_was_replaced_meanwhile(
    client: FlaskClient, alice: Person, path: str, token: str
) -> None:
    place = f"{path}/{token}"
    tag = client.get(place, headers=alice.headers).headers["ETag"]
    assert client.get(place, headers=alice.headers | {"If-None-Match": tag}).status_code == 304
    guarded = alice.headers | {"If-Match": tag}
    assert client.put(place, json={"value": "second"}, headers=guarded).status_code == 200
    for method, body in [("PUT", {"json": {"value": "x"}}), ("PATCH", {"json": {"value": "x"}}), ("DELETE", {})]:
        reply = client.open(place, method=method, headers=guarded, **body)
        assert error_of(reply, 412)["code"] == "PRECONDITION_FAILED"
    newer = client.get(place, headers=alice.headers).headers["ETag"]
    assert newer != tag
    assert client.delete(place, headers=alice.headers | {"If-Match": newer}).status_code == 204


@pytest.mark.parametrize("moved", ["name", "workspace", "row"])
def test_a_value_does_not_open_in_another_place(
    database: Database, alice: Person, workspace: Workspace, vault: Vault, token: str, moved: str
) -> None:
    other = make_workspace(database, alice, "Another shop")
    keep_secret(database, vault, workspace, "OTHER", "another-value")
    changes: dict[str, dict[str, Any]] = {
        "name": {"name": "RENAMED"},
        "workspace": {"workspace_id": other.id},
        "row": {
            "value": select(Secret.value).where(Secret.name == "OTHER").scalar_subquery(),
        },
    }
    with database.transaction() as session:
        session.execute(update(Secret).where(Secret.name == token).values(changes[moved]))
    with database.transaction() as session, pytest.raises(Undecryptable):
        reveal_secrets(session, vault, other.id if moved == "workspace" else workspace.id, ["TOKEN", "RENAMED"])


def test_secrets_go_with_their_workspace(
    client: FlaskClient, alice: Person, database: Database, workspace: Workspace, token: str
) -> None:
    assert client.delete(f"/api/v1/workspaces/{workspace.id}", headers=alice.headers).status_code == 204
    with database.transaction() as session:
        assert session.scalars(select(Secret.name)).all() == []
