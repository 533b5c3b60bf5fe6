"""Members of workspaces: Alice owns the team, Victor looks on in it, Charlie is a stranger until he is let in."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.identity import RoleAssignment
from app.kernel.db import Database
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.tenancy import make_workspace


@pytest.fixture
def path(database: Database, alice: Person) -> str:
    return f"/api/v1/workspaces/{make_workspace(database, alice).id}"


@pytest.fixture
def dora(app: Flask, database: Database) -> Person:
    return make_person(app, database, "dora")


def let_in(client: FlaskClient, path: str, by: Person, email: str, role: str, status: int = 201) -> Any:
    reply = client.post(f"{path}/members", json={"email": email, "role": role}, headers=by.headers)
    return data_of(reply, status) if status < 400 else error_of(reply, status)


def test_a_member_is_let_in_changed_and_removed_and_each_works_at_the_next_request(
    client: FlaskClient, path: str, alice: Person, charlie: Person
) -> None:
    member = let_in(client, path, alice, "Charlie@example.com", "viewer")
    assert (member["user_id"], member["username"], member["role"]) == (str(charlie.user.id), "charlie", "viewer")
    assert data_of(client.get(path, headers=charlie.headers))["name"] == "Web shop"
    mine = f"{path}/members/{charlie.user.id}"
    assert error_of(client.patch(path, json={"name": "Mine"}, headers=charlie.headers), 403)
    changed = data_of(client.put(f"{mine}/role", json={"role": "editor"}, headers=alice.headers))
    assert changed["role"] == "editor"
    assert data_of(client.get(mine, headers=charlie.headers)) == changed
    data_of(client.patch(path, json={"name": "Ours"}, headers=charlie.headers))
    assert [one["role"] for one in data_of(client.get(f"{path}/members", headers=alice.headers))] == ["editor"]
    assert client.delete(mine, headers=alice.headers).status_code == 204
    assert client.get(path, headers=charlie.headers).status_code == 404
    assert client.get(mine, headers=alice.headers).status_code == 404


def test_an_administrator_of_a_workspace_lets_others_in_and_an_editor_does_not(
    client: FlaskClient, path: str, alice: Person, charlie: Person, dora: Person
) -> None:
    let_in(client, path, alice, "charlie@example.com", "admin")
    let_in(client, path, charlie, "dora@example.com", "editor")
    wanted = {"user_id": str(alice.user.id), "role": "viewer"}
    refused = client.post(f"{path}/members", json=wanted, headers=dora.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "members:write"}
    assert client.delete(f"{path}/members/{charlie.user.id}", headers=dora.headers).status_code == 403


def test_who_is_a_member_already_or_unknown_is_not_let_in(
    client: FlaskClient, path: str, alice: Person, charlie: Person
) -> None:
    let_in(client, path, alice, "charlie@example.com", "viewer")
    assert let_in(client, path, alice, "charlie@example.com", "editor", 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    assert let_in(client, path, alice, "nobody@example.com", "viewer", 404)["details"]["resource_type"] == "user"
    for wanted in ({"role": "viewer"}, {"email": "a@b.c", "user_id": str(uuid4()), "role": "viewer"}):
        assert client.post(f"{path}/members", json=wanted, headers=alice.headers).status_code == 422
    wanted = {"user_id": str(uuid4()), "role": "viewer"}
    assert client.post(f"{path}/members", json=wanted, headers=alice.headers).status_code == 404
    assert (
        client.put(f"{path}/members/{uuid4()}/role", json={"role": "viewer"}, headers=alice.headers).status_code == 404
    )


def test_to_a_stranger_the_members_do_not_exist(client: FlaskClient, path: str, charlie: Person) -> None:
    assert client.get(f"{path}/members", headers=charlie.headers).status_code == 404
    wanted = {"email": "charlie@example.com", "role": "admin"}
    assert client.post(f"{path}/members", json=wanted, headers=charlie.headers).status_code == 404


def test_members_go_with_their_workspace(
    client: FlaskClient, path: str, alice: Person, charlie: Person, database: Database
) -> None:
    let_in(client, path, alice, "charlie@example.com", "viewer")
    assert client.delete(path, headers=alice.headers).status_code == 204
    with database.transaction() as session:
        place = UUID(path.rpartition("/")[2])
        assert session.query(RoleAssignment).filter(RoleAssignment.place == place).count() == 0
