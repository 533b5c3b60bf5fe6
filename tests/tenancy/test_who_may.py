"""Who may do what with a workspace: Alice owns, Bob is a member, Victor views, Charlie is a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from tests.support.identity import Person, data_of, error_of, join, make_person

PATH = "/api/v1/workspaces"
Act = Callable[[FlaskClient, str, dict[str, str]], Any]

WRITES: dict[str, Act] = {
    "put": lambda client, path, headers: client.put(path, json={"name": "New"}, headers=headers),
    "patch": lambda client, path, headers: client.patch(path, json={"name": "New"}, headers=headers),
    "delete": lambda client, path, headers: client.delete(path, headers=headers),
}


@pytest.fixture
def path(client: FlaskClient, alice: Person, team: UUID) -> str:
    """The path of the team's workspace."""
    body = {"name": "Web shop", "organization_id": str(team)}
    return f"{PATH}/{data_of(client.post(PATH, json=body, headers=alice.headers), 201)['id']}"


def test_members_write_and_viewers_read(client: FlaskClient, path: str, bob: Person, victor: Person) -> None:
    assert data_of(client.patch(path, json={"name": "Bob's"}, headers=bob.headers))["name"] == "Bob's"
    assert data_of(client.get(path, headers=victor.headers))["name"] == "Bob's"


@pytest.mark.parametrize("method", WRITES)
def test_a_viewer_who_writes_is_told_which_permission_it_takes(
    client: FlaskClient, path: str, victor: Person, method: str
) -> None:
    error = error_of(WRITES[method](client, path, victor.headers), 403)
    needed = "workspaces:delete" if method == "delete" else "workspaces:write"
    assert (error["code"], error["details"]) == ("INSUFFICIENT_PERMISSIONS", {"required_permission": needed})


def test_members_do_not_delete_but_administrators_of_the_organization_do(
    client: FlaskClient, app: Flask, path: str, bob: Person, team: UUID, database: Database
) -> None:
    assert error_of(client.delete(path, headers=bob.headers), 403)["details"] == {
        "required_permission": "workspaces:delete"
    }
    anna = make_person(app, database, "anna")
    join(database, anna, team, "admin")
    assert client.delete(path, headers=anna.headers).status_code == 204


@pytest.mark.parametrize("method", ["get", *WRITES])
def test_to_a_stranger_the_workspace_does_not_exist(
    client: FlaskClient, path: str, charlie: Person, method: str
) -> None:
    act = WRITES.get(method, lambda client, path, headers: client.get(path, headers=headers))
    workspace_id = path.rpartition("/")[2]
    seen = error_of(act(client, path, charlie.headers), 404)
    assert seen["details"] == {"resource_type": "workspace", "resource_id": workspace_id}
    unknown = error_of(act(client, f"{PATH}/{uuid4()}", charlie.headers), 404)
    assert unknown["message"] == seen["message"]


def test_a_stranger_makes_and_lists_nothing_in_the_organization(
    client: FlaskClient, charlie: Person, victor: Person, team: UUID
) -> None:
    nested = f"/api/v1/organizations/{team}/workspaces"
    for refused in (
        client.post(PATH, json={"name": "Mine", "organization_id": str(team)}, headers=charlie.headers),
        client.post(nested, json={"name": "Mine"}, headers=charlie.headers),
        client.get(nested, headers=charlie.headers),
    ):
        assert error_of(refused, 404)["details"]["resource_type"] == "organization"
    assert data_of(client.get(f"{PATH}?organization_id={team}", headers=charlie.headers)) == []
    error = error_of(client.post(nested, json={"name": "Mine"}, headers=victor.headers), 403)
    assert error["details"] == {"required_permission": "workspaces:write"}


def test_a_workspace_is_found_under_its_own_organization_alone(
    client: FlaskClient, path: str, alice: Person, team: UUID
) -> None:
    workspace_id = path.rpartition("/")[2]
    data_of(client.get(f"/api/v1/organizations/{team}/workspaces/{workspace_id}", headers=alice.headers))
    wrong = f"/api/v1/organizations/{alice.organization_id}/workspaces/{workspace_id}"
    for method in ("get", *WRITES):
        act = WRITES.get(method, lambda client, path, headers: client.get(path, headers=headers))
        assert error_of(act(client, wrong, alice.headers), 404)["details"]["resource_id"] == workspace_id


def test_a_platform_administrator_reaches_every_workspace(
    client: FlaskClient, app: Flask, path: str, database: Database
) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    assert data_of(client.patch(path, json={"status": "inactive"}, headers=admin.headers))["status"] == "inactive"
    assert len(data_of(client.get(PATH, headers=admin.headers))) == 1


def test_without_a_login_there_is_nothing(client: FlaskClient, path: str, team: UUID) -> None:
    for refused in (
        client.get(path),
        client.get(PATH),
        client.get("/api/v1/organizations"),
        client.post(PATH, json={"name": "x"}),
        client.get(f"/api/v1/organizations/{team}/workspaces"),
    ):
        assert error_of(refused, 401)["code"] == "AUTH_REQUIRED"
