"""Members of organizations: Alice owns the team, Anna administers it, Bob is a member, Victor looks on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.identity import Membership, RoleAssignment, Scope
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.tenancy import Organization
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.rights import give, make_role


@pytest.fixture
def anna(app: Flask, database: Database, team: UUID) -> Person:
    person = make_person(app, database, "anna")
    join(database, person, team, "admin")
    return person


@pytest.fixture
def path(team: UUID) -> str:
    return f"/api/v1/organizations/{team}/members"


def roles(database: Database, team: UUID) -> dict[str, str]:
    with database.transaction() as session:
        members = session.scalars(select(Membership).where(Membership.organization_id == team)).all()
        return {member.user.username: member.role for member in members}


def give_role(client: FlaskClient, path: str, by: Person, to: Person, role: str) -> Any:
    return client.put(f"{path}/{to.user.id}/role", json={"role": role}, headers=by.headers)


def test_members_are_listed_found_and_searched(
    client: FlaskClient, path: str, alice: Person, bob: Person, victor: Person, charlie: Person
) -> None:
    listed = data_of(client.get(path, headers=victor.headers))
    assert [(one["username"], one["role"]) for one in listed] == [
        ("alice", "owner"),
        ("bob", "member"),
        ("victor", "viewer"),
    ]
    assert data_of(client.get(f"{path}/{bob.user.id}", headers=victor.headers)) == listed[1]
    assert data_of(client.get(f"{path}?role=viewer&search=VIC", headers=victor.headers)) == [listed[2]]
    assert data_of(client.get(f"{path}?search=%25", headers=victor.headers)) == []
    assert client.get(f"{path}/{charlie.user.id}", headers=victor.headers).status_code == 404
    assert client.get(path, headers=charlie.headers).status_code == 404


def test_a_role_is_changed_and_works_at_the_next_request(
    client: FlaskClient, path: str, anna: Person, bob: Person, team: UUID
) -> None:
    assert data_of(give_role(client, path, anna, bob, "viewer"))["role"] == "viewer"
    refused = client.post(f"/api/v1/organizations/{team}/workspaces", json={"name": "W"}, headers=bob.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "workspaces:write"}


def test_nobody_is_raised_or_lowered_by_who_holds_less(
    client: FlaskClient, path: str, alice: Person, anna: Person, bob: Person
) -> None:
    for to, role in ((anna, "owner"), (bob, "owner"), (alice, "viewer")):
        assert error_of(give_role(client, path, anna, to, role), 403)["details"] == {
            "required_permission": "audit:read"
        }
    assert error_of(give_role(client, path, bob, bob, "admin"), 403)["details"] == {
        "required_permission": "members:write"
    }
    assert error_of(give_role(client, path, alice, alice, "viewer"), 409)["code"] == "INVALID_STATE"
    assert give_role(client, path, alice, bob, "emperor").status_code == 422


def test_an_organization_is_transferred_by_its_owner(
    client: FlaskClient, path: str, alice: Person, bob: Person, team: UUID, database: Database
) -> None:
    data_of(give_role(client, path, alice, bob, "owner"))
    assert roles(database, team) == {"alice": "admin", "bob": "owner"}
    with database.transaction() as session:
        assert session.get_one(Organization, team).owner_id == bob.user.id
        events = session.scalars(
            select(EventRecord.data).where(EventRecord.type == "organization.member_role_changed")
        ).all()
    assert {(event["user_id"], event["new_role"]) for event in events} == {
        (str(alice.user.id), "admin"),
        (str(bob.user.id), "owner"),
    }
    assert give_role(client, path, alice, alice, "owner").status_code == 403


def test_a_personal_organization_is_not_given_away(
    client: FlaskClient, alice: Person, bob: Person, database: Database
) -> None:
    join(database, bob, alice.organization_id, "admin")
    path = f"/api/v1/organizations/{alice.organization_id}/members"
    assert error_of(give_role(client, path, alice, bob, "owner"), 409)["code"] == "INVALID_STATE"


def test_who_is_removed_loses_all_they_held_there(
    client: FlaskClient, path: str, alice: Person, anna: Person, team: UUID, database: Database
) -> None:
    give(database, anna, make_role(database, team, ["audit:read"]), Scope("organization", team))
    body = {"name": "k", "scopes": ["organizations:read"]}
    key = data_of(client.post(f"/api/v1/organizations/{team}/api-keys", json=body, headers=anna.headers), 201)["key"]
    invitations = f"/api/v1/organizations/{team}/invitations"
    data_of(client.post(invitations, json={"email": "x@example.com", "role": "viewer"}, headers=anna.headers), 201)
    assert client.delete(f"{path}/{anna.user.id}", headers=alice.headers).status_code == 204
    assert client.get(f"/api/v1/organizations/{team}", headers=anna.headers).status_code == 404
    assert client.get(f"/api/v1/organizations/{team}", headers={"X-API-Key": key}).status_code == 401
    assert data_of(client.get(invitations, headers=alice.headers)) == []
    with database.transaction() as session:
        assert session.scalars(select(RoleAssignment).where(RoleAssignment.user_id == anna.user.id)).all() == []


def test_members_leave_and_owners_do_not(
    client: FlaskClient, path: str, alice: Person, anna: Person, bob: Person, charlie: Person
) -> None:
    assert client.delete(f"{path}/me", headers=bob.headers).status_code == 204
    assert client.get(path, headers=bob.headers).status_code == 404
    assert client.delete(f"{path}/me", headers=charlie.headers).status_code == 404
    assert error_of(client.delete(f"{path}/me", headers=alice.headers), 409)["code"] == "INVALID_STATE"
    assert client.delete(f"{path}/{alice.user.id}", headers=anna.headers).status_code == 409
