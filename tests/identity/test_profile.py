"""The caller's own account: read, replaced, changed."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.identity import User
from app.kernel.db import Database
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person

PATH = "/api/v1/users/me"


def test_the_account_is_read(client: FlaskClient, alice: Person) -> None:
    data = data_of(client.get(PATH, headers=alice.headers))
    assert (data["username"], data["email"], data["role"]) == ("alice", "alice@example.com", "user")
    assert (data["display_name"], data["bio"], data["email_verified"]) == (None, None, False)


def test_a_change_merges_and_a_replacement_replaces(client: FlaskClient, alice: Person) -> None:
    changed = data_of(client.patch(PATH, json={"display_name": "Alice A.", "bio": "Two\nlines"}, headers=alice.headers))
    assert (changed["display_name"], changed["bio"]) == ("Alice A.", "Two\nlines")
    assert changed["updated_at"] > changed["created_at"]
    merged = data_of(client.patch(PATH, json={"bio": "One line"}, headers=alice.headers))
    assert (merged["display_name"], merged["bio"]) == ("Alice A.", "One line")
    replaced = data_of(client.put(PATH, json={"email": "alice@example.com"}, headers=alice.headers))
    assert (replaced["display_name"], replaced["bio"]) == (None, None)
    assert data_of(client.get(PATH, headers=alice.headers)) == replaced


def test_another_address_has_to_be_verified_anew(client: FlaskClient, alice: Person, database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(User).values(email_verified=True))
    same = data_of(client.patch(PATH, json={"email": "Alice@example.com"}, headers=alice.headers))
    assert same["email_verified"] is True
    moved = {"email": "new@example.com", "current_password": PASSWORD}
    other = data_of(client.patch(PATH, json=moved, headers=alice.headers))
    assert (other["email"], other["email_verified"]) == ("new@example.com", False)


def test_a_token_alone_does_not_change_the_address(client: FlaskClient, alice: Person) -> None:
    missing = error_of(client.patch(PATH, json={"email": "new@example.com"}, headers=alice.headers), 422)
    assert [fault["field"] for fault in missing["errors"]] == ["current_password"]
    guessed = {"email": "new@example.com", "current_password": "not this one"}
    wrong = error_of(client.patch(PATH, json=guessed, headers=alice.headers), 401)
    assert (wrong["code"], wrong["details"]) == ("INVALID_CREDENTIALS", {"field": "current_password"})
    assert client.put(PATH, json={"email": "new@example.com"}, headers=alice.headers).status_code == 422
    assert data_of(client.get(PATH, headers=alice.headers))["email"] == "alice@example.com"


def test_an_address_of_somebody_else_is_refused(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    make_person(app, database, "bob")
    moved = {"email": "BOB@example.com", "current_password": PASSWORD}
    error = error_of(client.patch(PATH, json=moved, headers=alice.headers), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_ALREADY_EXISTS", {"field": "email"})
    assert data_of(client.get(PATH, headers=alice.headers))["email"] == "alice@example.com"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"display_name": "x" * 101}, "display_name"),
        ({"display_name": "a\u202eb\n"}, "display_name"),
        ({"bio": "x" * 501}, "bio"),
        ({"bio": "a\x1b[31mred"}, "bio"),
        ({"email": "nobody"}, "email"),
        ({"email": None}, "email"),
        ({"username": "other"}, "username"),
        ({"role": "admin"}, "role"),
        ({"email_verified": True}, "email_verified"),
    ],
)
def test_what_may_not_be_set_is_refused_by_field(
    client: FlaskClient, alice: Person, body: dict[str, Any], field: str
) -> None:
    error = error_of(client.patch(PATH, json=body, headers=alice.headers), 422)
    assert {fault["field"] for fault in error["errors"]} == {field}


def test_a_replacement_names_the_address(client: FlaskClient, alice: Person) -> None:
    (fault,) = error_of(client.put(PATH, json={"bio": "x"}, headers=alice.headers), 422)["errors"]
    assert fault["field"] == "email"


def test_an_account_that_has_not_changed_is_not_sent_again(client: FlaskClient, alice: Person) -> None:
    tag = client.get(PATH, headers=alice.headers).headers["ETag"]
    known = {**alice.headers, "If-None-Match": tag}
    assert client.get(PATH, headers=known).status_code == 304
    client.patch(PATH, json={"bio": "new"}, headers=alice.headers)
    assert data_of(client.get(PATH, headers=known))["bio"] == "new"
