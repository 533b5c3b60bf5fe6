"""Organizations: everyone has one from the start, and sees those they are in."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from app.identity import Membership
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.tenancy import Organization
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.rights import make_role
from tests.support.tenancy import make_workspace

PATH = "/api/v1/organizations"


def names(client: FlaskClient, person: Person, query: str = "") -> list[str]:
    return [row["name"] for row in data_of(client.get(PATH + query, headers=person.headers))]


def test_an_organization_is_made_and_owned_by_its_maker(client: FlaskClient, alice: Person, database: Database) -> None:
    body = {"name": "Team Ärger & Söhne", "description": "We ship."}
    made = data_of(client.post(PATH, json=body, headers=alice.headers), 201)
    assert (made["slug"], made["owner_id"], made["is_personal"]) == ("team-arger-sohne", str(alice.user.id), False)
    assert (made["member_count"], made["workspace_count"]) == (1, 0)
    assert data_of(client.get(f"{PATH}/{made['id']}", headers=alice.headers)) == made
    with database.transaction() as session:
        (event,) = session.scalars(select(EventRecord).where(EventRecord.organization_id == UUID(made["id"])))
    assert (event.type, event.data["owner_id"]) == ("organization.created", str(alice.user.id))


def test_people_see_the_organizations_they_are_in(
    client: FlaskClient, alice: Person, bob: Person, charlie: Person
) -> None:
    assert sorted(names(client, alice)) == ["Team A", "alice"]
    assert sorted(names(client, bob)) == ["Team A", "bob"]
    assert names(client, charlie) == ["charlie"]


def test_an_administrator_sees_all_organizations(
    client: FlaskClient, app: Flask, bob: Person, database: Database
) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    assert sorted(names(client, admin)) == ["Team A", "alice", "bob", "root-admin"]


def test_the_list_is_searched_sorted_and_paged(client: FlaskClient, alice: Person, bob: Person) -> None:
    assert names(client, alice, "?search=TEAM") == ["Team A"]
    assert names(client, alice, "?search=%25") == []
    assert names(client, alice, "?sort=name&limit=1") == ["Team A"]
    assert names(client, alice, "?sort=-name&limit=1") == ["alice"]
    assert error_of(client.get(PATH + "?sort=slug", headers=alice.headers), 422)["code"] == "VALIDATION_ERROR"


def test_members_and_workspaces_are_counted(
    client: FlaskClient, alice: Person, bob: Person, team: UUID, database: Database
) -> None:
    make_workspace(database, alice)
    assert data_of(client.get(f"{PATH}/{team}", headers=bob.headers))["member_count"] == 2
    assert data_of(client.get(f"{PATH}/{alice.organization_id}", headers=alice.headers))["workspace_count"] == 1


def test_other_peoples_organizations_do_not_exist(client: FlaskClient, charlie: Person, team: UUID) -> None:
    for organization_id in (team, uuid4()):
        error = error_of(client.get(f"{PATH}/{organization_id}", headers=charlie.headers), 404)
        assert error["details"] == {"resource_type": "organization", "resource_id": str(organization_id)}


def test_who_is_removed_from_an_organization_sees_it_no_more_on_the_next_request(
    client: FlaskClient, bob: Person, team: UUID, database: Database
) -> None:
    data_of(client.get(f"{PATH}/{team}", headers=bob.headers))
    with database.transaction() as session:
        session.execute(delete(Membership).where(Membership.organization_id == team, Membership.user_id == bob.user.id))
    error_of(client.get(f"{PATH}/{team}", headers=bob.headers), 404)


def test_a_slug_is_given_once(client: FlaskClient, alice: Person, charlie: Person) -> None:
    data_of(client.post(PATH, json={"name": "Mill", "slug": "mill"}, headers=alice.headers), 201)
    error = error_of(client.post(PATH, json={"name": "MILL"}, headers=charlie.headers), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_ALREADY_EXISTS", {"field": "slug"})


def test_a_personal_organization_gets_another_slug_when_its_own_is_taken(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    data_of(client.post(PATH, json={"name": "Dora", "slug": "dora"}, headers=alice.headers), 201)
    people = [make_person(app, database, name) for name in ("dora", "D.O", "d_o", "...")]
    with database.transaction() as session:
        slugs = [session.get_one(Organization, person.organization_id).slug for person in people]
    assert slugs[0].startswith("dora-")
    assert slugs[1] == "d-o"
    assert slugs[2].startswith("d-o-")
    assert slugs[3].startswith("user")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "ok", "slug": "Not a slug"}, "slug"),
        ({"name": "ok", "slug": "a--b"}, "slug"),
        ({"name": "ok", "description": "x" * 2001}, "description"),
        ({"name": "ok", "owner_id": str(uuid4())}, "owner_id"),
        ({"name": "ok", "is_personal": True}, "is_personal"),
    ],
)
def test_an_organization_that_is_not_valid_is_refused_by_field(
    client: FlaskClient, alice: Person, body: dict[str, Any], field: str
) -> None:
    error = error_of(client.post(PATH, json=body, headers=alice.headers), 422)
    assert {fault["field"] for fault in error["errors"]} == {field}


def test_an_organization_is_changed_by_its_administrators_alone(
    client: FlaskClient, alice: Person, bob: Person, team: UUID, database: Database
) -> None:
    path = f"{PATH}/{team}"
    changed = data_of(client.patch(path, json={"name": "Team B", "slug": "b"}, headers=alice.headers))
    assert (changed["name"], changed["slug"]) == ("Team B", "b")
    replaced = data_of(client.put(path, json={"name": "Team C"}, headers=alice.headers))
    assert (replaced["name"], replaced["slug"], replaced["description"]) == ("Team C", "b", None)
    refused = client.patch(path, json={"name": "Bob's"}, headers=bob.headers)
    assert error_of(refused, 403)["details"] == {"required_permission": "organizations:write"}
    with database.transaction() as session:
        events = session.scalars(select(EventRecord).where(EventRecord.type == "organization.updated")).all()
    assert [event.data["changed"] for event in events] == [["name", "slug"], ["name"]]


def test_an_organization_is_deleted_by_its_owner_once_it_is_empty(
    client: FlaskClient, app: Flask, alice: Person, bob: Person, team: UUID, database: Database
) -> None:
    path = f"{PATH}/{team}"
    assert error_of(client.delete(path, headers=bob.headers), 403)["details"] == {
        "required_permission": "organizations:delete"
    }
    made = data_of(client.post(f"{path}/workspaces", json={"name": "W"}, headers=alice.headers), 201)
    error = error_of(client.delete(path, headers=alice.headers), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_IN_USE", {"workspaces": 1})
    client.delete(f"/api/v1/workspaces/{made['id']}", headers=alice.headers)
    make_role(database, team, ["jobs:read"])
    assert client.delete(path, headers=alice.headers).status_code == 204
    assert client.get(path, headers=alice.headers).status_code == 404
    own = error_of(client.delete(f"{PATH}/{alice.organization_id}", headers=alice.headers), 409)
    assert own["code"] == "INVALID_STATE"
