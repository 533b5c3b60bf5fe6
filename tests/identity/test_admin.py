"""The administration of accounts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.identity import User
from app.kernel.db import Database
from tests.identity.conftest import Committing
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person, refresh

USERS = "/api/v1/admin/users"


@pytest.fixture
def root(app: Flask, database: Database) -> Person:
    return make_person(app, database, "root-admin", role="admin", email_verified=True)


def patch(client: FlaskClient, by: Person, whom: Person, what: str, **body: Any) -> Any:
    return client.patch(f"{USERS}/{whom.user.id}/{what}", json=body or None, headers=by.headers)


def test_users_are_listed_filtered_and_counted(client: FlaskClient, alice: Person, root: Person) -> None:
    found = {
        "": ["root-admin", "alice"],
        "sort=username": ["alice", "root-admin"],
        "role=admin": ["root-admin"],
        "email_verified=false": ["alice"],
        "status=unverified": ["alice"],
        "status=active": ["root-admin"],
        "status=disabled": [],
        "search=ALICE@": ["alice"],
        "search=%25": [],
    }
    for query, names in found.items():
        listed = data_of(client.get(f"{USERS}?{query}", headers=root.headers))
        assert [user["username"] for user in listed] == names, query
    assert client.get(f"{USERS}?role=emperor", headers=root.headers).status_code == 422
    assert data_of(client.get("/api/v1/admin/stats", headers=root.headers)) == {
        "total_users": 2,
        "verified_users": 1,
        "admin_users": 1,
        "disabled_users": 0,
    }
    one = data_of(client.get(f"{USERS}/{alice.user.id}", headers=root.headers))
    assert (one["username"], one["status"], "password_hash" in one) == ("alice", "unverified", False)
    assert client.get(f"{USERS}/{uuid4()}", headers=root.headers).status_code == 404
    assert error_of(client.get(USERS, headers=alice.headers), 403)["details"] == {
        "required_permission": "users:administer"
    }


def test_a_disabled_user_is_out_at_once_and_in_again_by_a_new_login_alone(
    client: FlaskClient, alice: Person, root: Person
) -> None:
    body = {"name": "k", "scopes": ["jobs:read"]}
    key = {"X-API-Key": data_of(client.post("/api/v1/api-keys", json=body, headers=alice.headers), 201)["key"]}
    assert data_of(patch(client, root, alice, "disable"))["status"] == "disabled"
    for headers in (alice.headers, key):
        assert error_of(client.get("/api/v1/jobs", headers=headers), 403)["code"] == "ACCOUNT_DISABLED"
    assert refresh(client, alice.refresh_token).status_code == 403
    credentials = {"username": "alice", "password": PASSWORD}
    assert client.post("/api/v1/auth/login", json=credentials).status_code == 403
    assert error_of(patch(client, root, alice, "disable"), 409)["code"] == "INVALID_STATE"
    assert data_of(patch(client, root, alice, "enable"))["status"] == "unverified"
    assert error_of(patch(client, root, alice, "enable"), 409)["code"] == "INVALID_STATE"
    for headers in (alice.headers, key):
        assert error_of(client.get("/api/v1/jobs", headers=headers), 401)["code"] == "TOKEN_REVOKED"
    assert client.post("/api/v1/auth/login", json=credentials).status_code == 200


def test_a_role_on_the_platform_works_at_the_next_request(client: FlaskClient, alice: Person, root: Person) -> None:
    assert data_of(patch(client, root, alice, "role", role="admin"))["role"] == "admin"
    data_of(client.get(USERS, headers=alice.headers))
    assert data_of(patch(client, root, alice, "role", role="user"))["role"] == "user"
    assert client.get(USERS, headers=alice.headers).status_code == 403


def test_the_last_administrator_stays(client: FlaskClient, alice: Person, root: Person) -> None:
    for what, body in (("disable", {}), ("role", {"role": "user"})):
        refused = patch(client, root, root, what, **body, confirm="root-admin")
        assert error_of(refused, 409)["message"].startswith("This is the last administrator")
    data_of(patch(client, root, alice, "role", role="admin"))
    data_of(patch(client, root, alice, "disable"))
    assert patch(client, root, root, "disable", confirm="root-admin").status_code == 409


def test_nobody_locks_themselves_out_by_accident(client: FlaskClient, alice: Person, root: Person) -> None:
    data_of(patch(client, root, alice, "role", role="admin"))
    for body in ({}, {"confirm": "alice"}):
        assert error_of(patch(client, root, root, "disable", **body), 409)["code"] == "INVALID_STATE"
        assert error_of(patch(client, root, root, "role", role="user", **body), 409)["code"] == "INVALID_STATE"
    assert data_of(patch(client, root, root, "role", role="user", confirm="root-admin"))["role"] == "user"


def test_a_key_makes_nobody_an_administrator(client: FlaskClient, alice: Person, root: Person) -> None:
    body = {"name": "k", "scopes": ["users:administer"]}
    key = data_of(client.post("/api/v1/api-keys", json=body, headers=root.headers), 201)["key"]
    data_of(client.get(USERS, headers={"X-API-Key": key}))
    path = f"{USERS}/{alice.user.id}/role"
    refused = client.patch(path, json={"role": "admin"}, headers={"X-API-Key": key})
    assert error_of(refused, 403)["details"] == {"required_permission": "account:read"}


def test_of_two_administrators_who_disable_each_other_at_once_one_is_left(committing: Committing) -> None:
    app, database = committing.app, committing.database
    ann, ben = (make_person(app, database, name, role="admin") for name in ("ann", "ben"))

    def disable(pair: tuple[Person, Person]) -> int:
        by, whom = pair
        return patch(app.test_client(), by, whom, "disable").status_code

    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(threads.map(disable, [(ann, ben), (ben, ann)]))
    assert statuses[0] == 200
    assert statuses[1] in (401, 403, 409)
    with database.transaction() as session:
        left = session.query(User).filter(User.role == "admin", User.disabled_at.is_(None)).count()
    assert left == 1
