"""Own roles, and roles in places: Alice owns the team, Anna administers it, Bob is a member, Charlie is a stranger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.identity import BUILT_IN, PERMISSIONS, Role, RoleAssignment, Scope
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.tenancy import create_organization
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.rights import give, make_role
from tests.support.tenancy import make_workspace

ROLES = "/api/v1/roles"


@pytest.fixture
def team(database: Database, alice: Person) -> UUID:
    with database.transaction() as session:
        return create_organization(session, alice.user.id, {"name": "Team A"}).id


@pytest.fixture
def anna(app: Flask, database: Database, team: UUID) -> Person:
    person = make_person(app, database, "anna")
    join(database, person, team, "admin")
    return person


@pytest.fixture
def bob(app: Flask, database: Database, team: UUID) -> Person:
    person = make_person(app, database, "bob")
    join(database, person, team, "member")
    return person


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    return make_person(app, database, "charlie")


def body(team: UUID, *permissions: str, name: str = "release-manager") -> dict[str, Any]:
    return {"organization_id": str(team), "name": name, "permissions": list(permissions)}


def gift(role_id: Any, scope_type: str, scope_id: Any, **more: Any) -> dict[str, Any]:
    return {"role_id": str(role_id), "scope": {"type": scope_type, "id": str(scope_id)}, **more}


def roles_of(person: Person) -> str:
    return f"/api/v1/users/{person.user.id}/roles"


def test_the_rows_of_the_built_in_roles_are_those_of_the_table(database: Database) -> None:
    with database.transaction() as session:
        rows = session.scalars(select(Role).where(Role.organization_id.is_(None))).all()
    assert {(row.name, row.id) for row in rows} == {(role.name, role.id) for role in BUILT_IN.values()}
    assert {row.name: row.held for row in rows} == {role.name: role.permissions for role in BUILT_IN.values()}


def test_all_permissions_are_listed_with_the_roles_that_hold_them(client: FlaskClient, charlie: Person) -> None:
    listed = data_of(client.get("/api/v1/permissions", headers=charlie.headers))
    assert {one["name"] for one in listed} == PERMISSIONS
    (deletion,) = [one for one in listed if one["name"] == "organizations:delete"]
    assert deletion["roles"] == ["platform-admin", "organization-owner"]


def test_an_own_role_is_made_changed_and_deleted(client: FlaskClient, alice: Person, team: UUID) -> None:
    made = data_of(client.post(ROLES, json=body(team, "executions:run", "executions:read"), headers=alice.headers), 201)
    assert (made["permissions"], made["is_built_in"]) == (["executions:read", "executions:run"], False)
    path = f"{ROLES}/{made['id']}"
    changed = data_of(client.patch(path, json={"permissions": ["jobs:read"]}, headers=alice.headers))
    assert (changed["permissions"], changed["name"]) == (["jobs:read"], "release-manager")
    replaced = data_of(client.put(path, json={"name": "other", "permissions": ["jobs:read"]}, headers=alice.headers))
    assert data_of(client.get(path, headers=alice.headers)) == replaced
    listed = data_of(client.get(f"{ROLES}?organization_id={team}", headers=alice.headers))
    assert [role["name"] for role in listed] == ["other"]
    assert len(data_of(client.get(f"{ROLES}?limit=100", headers=alice.headers))) == len(BUILT_IN) + 1
    assert client.delete(path, headers=alice.headers).status_code == 204
    assert client.get(path, headers=alice.headers).status_code == 404


def test_strangers_see_the_built_in_roles_alone(
    client: FlaskClient, charlie: Person, team: UUID, database: Database
) -> None:
    role = make_role(database, team, ["jobs:read"])
    listed = data_of(client.get(f"{ROLES}?limit=100", headers=charlie.headers))
    assert {one["name"] for one in listed} == set(BUILT_IN)
    assert client.get(f"{ROLES}/{role.id}", headers=charlie.headers).status_code == 404
    assert client.delete(f"{ROLES}/{role.id}", headers=charlie.headers).status_code == 404
    assert client.post(ROLES, json=body(team, "jobs:read"), headers=charlie.headers).status_code == 404


def test_nobody_makes_or_strengthens_a_role_beyond_themselves(
    client: FlaskClient, anna: Person, bob: Person, team: UUID, database: Database
) -> None:
    refused = error_of(client.post(ROLES, json=body(team, "organizations:delete"), headers=anna.headers), 403)
    assert refused["details"] == {"required_permission": "organizations:delete"}
    refused = error_of(client.post(ROLES, json=body(team, "jobs:read"), headers=bob.headers), 403)
    assert refused["details"] == {"required_permission": "roles:write"}
    role = make_role(database, team, ["jobs:read"])
    wanted = {"permissions": ["jobs:read", "audit:read"]}
    assert error_of(client.patch(f"{ROLES}/{role.id}", json=wanted, headers=anna.headers), 403)["details"] == {
        "required_permission": "audit:read"
    }


@pytest.mark.parametrize("permission", ["users:administer", "platform:administer", "account:write", "no:such", "jobs"])
def test_some_permissions_are_not_for_roles(client: FlaskClient, alice: Person, team: UUID, permission: str) -> None:
    error = error_of(client.post(ROLES, json=body(team, permission), headers=alice.headers), 422)
    assert error["errors"][0]["field"] == "permissions.0"


def test_built_in_roles_stay_as_they_are_and_keep_their_names(client: FlaskClient, alice: Person, team: UUID) -> None:
    path = f"{ROLES}/{BUILT_IN['developer'].id}"
    assert data_of(client.get(path, headers=alice.headers))["is_built_in"] is True
    assert error_of(client.patch(path, json={"name": "x"}, headers=alice.headers), 409)["code"] == "INVALID_STATE"
    assert error_of(client.delete(path, headers=alice.headers), 409)["code"] == "INVALID_STATE"
    taken = error_of(client.post(ROLES, json=body(team, "jobs:read", name="developer"), headers=alice.headers), 409)
    assert taken["details"] == {"field": "name"}


def test_a_name_is_given_once_in_an_organization(client: FlaskClient, alice: Person, team: UUID) -> None:
    assert client.post(ROLES, json=body(team, "jobs:read"), headers=alice.headers).status_code == 201
    error = error_of(client.post(ROLES, json=body(team, "jobs:read"), headers=alice.headers), 409)
    assert error["code"] == "RESOURCE_ALREADY_EXISTS"


def test_a_role_is_given_and_taken_and_works_at_the_next_request(
    client: FlaskClient, anna: Person, bob: Person, team: UUID, database: Database
) -> None:
    path = f"/api/v1/organizations/{team}/workspaces"
    role = make_role(database, team, ["workspaces:read", "secrets:write"])
    given = data_of(client.post(roles_of(bob), json=gift(role.id, "organization", team), headers=anna.headers), 201)
    assert (given["user_id"], given["role"]["name"], given["organization_id"]) == (
        str(bob.user.id),
        "own",
        str(team),
    )
    workspace = data_of(client.post(path, json={"name": "W"}, headers=bob.headers), 201)
    secrets = f"/api/v1/workspaces/{workspace['id']}/secrets"
    assert client.post(secrets, json={"name": "TOKEN", "value": "x"}, headers=bob.headers).status_code == 201
    assert [one["id"] for one in data_of(client.get(roles_of(bob), headers=bob.headers))] == [given["id"]]
    error = error_of(client.delete(f"{ROLES}/{role.id}", headers=anna.headers), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_IN_USE", {"assignments": 1})
    assert client.delete(f"{roles_of(bob)}/{given['id']}", headers=anna.headers).status_code == 204
    refused = client.post(secrets, json={"name": "OTHER", "value": "x"}, headers=bob.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "secrets:write"}
    assert client.delete(f"{ROLES}/{role.id}", headers=anna.headers).status_code == 204


def test_nobody_gives_or_takes_a_role_beyond_themselves(
    client: FlaskClient, alice: Person, anna: Person, bob: Person, team: UUID, database: Database
) -> None:
    strong = make_role(database, team, ["organizations:delete"])
    refused = client.post(roles_of(bob), json=gift(strong.id, "organization", team), headers=anna.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "organizations:delete"}
    given = data_of(client.post(roles_of(bob), json=gift(strong.id, "organization", team), headers=alice.headers), 201)
    taken = client.delete(f"{roles_of(bob)}/{given['id']}", headers=anna.headers)
    assert error_of(taken, 403)["details"] == {"required_permission": "organizations:delete"}
    assert client.delete(f"{roles_of(bob)}/{given['id']}", headers=alice.headers).status_code == 204


def test_a_role_ends_at_its_time_and_may_be_given_again(
    client: FlaskClient, alice: Person, bob: Person, team: UUID, database: Database
) -> None:
    soon = (utc_now() + timedelta(hours=1)).isoformat()
    maker = make_role(database, team, ["roles:write"])
    wanted = gift(maker.id, "organization", team, expires_at=soon)
    given = data_of(client.post(roles_of(bob), json=wanted, headers=alice.headers), 201)
    lacking = error_of(client.post(ROLES, json=body(team, "audit:read"), headers=bob.headers), 403)
    assert lacking["details"] == {"required_permission": "audit:read"}
    assert client.post(roles_of(bob), json=wanted, headers=alice.headers).status_code == 409
    with database.transaction() as session:
        over = update(RoleAssignment).where(RoleAssignment.id == UUID(given["id"]))
        session.execute(over.values(expires_at=utc_now() - timedelta(seconds=1)))
    lacking = error_of(client.post(ROLES, json=body(team, "audit:read"), headers=bob.headers), 403)
    assert lacking["details"] == {"required_permission": "roles:write"}
    assert data_of(client.get(roles_of(bob), headers=alice.headers)) == []
    data_of(client.post(roles_of(bob), json=wanted, headers=alice.headers), 201)
    past = gift(BUILT_IN["developer"].id, "organization", team, expires_at="2020-01-01T00:00:00Z")
    assert client.post(roles_of(bob), json=past, headers=alice.headers).status_code == 422


@pytest.mark.parametrize(
    ("role", "scope_type", "field"),
    [
        ("workspace-admin", "organization", "scope.type"),
        ("platform-admin", "organization", "scope.type"),
        ("organization-owner", "organization", "role_id"),
        ("cluster-admin", "organization", "scope.type"),
    ],
)
def test_a_role_is_given_where_it_belongs(
    client: FlaskClient, alice: Person, bob: Person, team: UUID, role: str, scope_type: str, field: str
) -> None:
    wanted = gift(BUILT_IN[role].id, scope_type, team)
    assert error_of(client.post(roles_of(bob), json=wanted, headers=alice.headers), 422)["errors"][0]["field"] == field


def test_roles_of_one_organization_are_none_of_another(
    client: FlaskClient, alice: Person, bob: Person, charlie: Person, team: UUID, database: Database
) -> None:
    foreign = make_role(database, charlie.organization_id, ["jobs:read"])
    for role_id in (foreign.id, uuid4()):
        wanted = gift(role_id, "organization", team)
        assert client.post(roles_of(bob), json=wanted, headers=alice.headers).status_code == 404
    wanted = gift(BUILT_IN["developer"].id, "organization", team)
    assert client.post(roles_of(alice), json=wanted, headers=charlie.headers).status_code == 404
    assert client.post(roles_of(charlie), json=wanted, headers=alice.headers).status_code == 404
    assert client.get(roles_of(alice), headers=charlie.headers).status_code == 404
    own = make_role(database, alice.organization_id, ["jobs:read"])
    mine = gift(own.id, "organization", team)
    assert client.post(roles_of(bob), json=mine, headers=alice.headers).status_code == 404


def test_a_role_in_a_workspace_reaches_that_workspace_and_nothing_else(
    client: FlaskClient, alice: Person, charlie: Person, database: Database
) -> None:
    shop, other = make_workspace(database, alice, "Shop"), make_workspace(database, alice, "Other")
    give(database, charlie, "workspace-viewer", Scope("workspace", shop.id))
    seen = data_of(client.get("/api/v1/workspaces", headers=charlie.headers))
    assert [one["id"] for one in seen] == [str(shop.id)]
    assert client.get(f"/api/v1/workspaces/{shop.id}/pipelines", headers=charlie.headers).status_code == 200
    refused = client.patch(f"/api/v1/workspaces/{shop.id}", json={"name": "Mine"}, headers=charlie.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "workspaces:write"}
    for path in (f"workspaces/{other.id}", f"workspaces/{other.id}/secrets", f"organizations/{alice.organization_id}"):
        assert client.get(f"/api/v1/{path}", headers=charlie.headers).status_code == 404
    assert len(data_of(client.get("/api/v1/organizations", headers=charlie.headers))) == 1
