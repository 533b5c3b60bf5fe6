"""Plans: an administrator gives them, and with them places in the queues."""

from __future__ import annotations

from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.jobs.models import JobLimit
from app.jobs.places import EVERYONE
from app.kernel.db import Database
from app.tenancy import apply_plans
from tests.support.identity import Person, data_of, error_of, make_person

PLACES = {"free": 5, "standard": 20, "pro": 50, "enterprise": 0}


def places(database: Database) -> dict[UUID, int]:
    with database.transaction() as session:
        return {row.organization_id: row.places for row in session.scalars(select(JobLimit))}


def test_an_administrator_gives_an_organization_a_plan_and_its_places(
    client: FlaskClient, app: Flask, database: Database, alice: Person
) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    path = f"/api/v1/organizations/{alice.organization_id}"
    assert data_of(client.get(path, headers=alice.headers))["plan"] == "standard"
    changed = data_of(client.put(f"{path}/plan", json={"plan": "pro"}, headers=admin.headers))
    assert (changed["plan"], places(database)) == ("pro", {alice.organization_id: 50})


def test_a_release_lets_changed_settings_hold_for_all(
    client: FlaskClient, app: Flask, database: Database, alice: Person
) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    plan = {"plan": "free"}
    client.put(f"/api/v1/organizations/{alice.organization_id}/plan", json=plan, headers=admin.headers)
    for _ in range(2):
        with database.transaction() as session:
            apply_plans(session, PLACES | {"free": 1, "standard": 7})
    assert places(database) == {EVERYONE: 7, alice.organization_id: 1}


def test_an_owner_gives_no_plan_and_nobody_an_unknown_one(
    client: FlaskClient, app: Flask, database: Database, alice: Person
) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    path = f"/api/v1/organizations/{alice.organization_id}/plan"
    assert client.put(path, json={"plan": "pro"}, headers=alice.headers).status_code in (403, 404)
    refused = error_of(client.put(path, json={"plan": "gold"}, headers=admin.headers), 422)
    assert refused["errors"][0]["field"] == "plan"
