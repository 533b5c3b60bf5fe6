"""Logging in and out, the list of logins, and the password."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, update

from app.identity import User
from app.kernel.db import Database
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person, refresh


def log_in(client: FlaskClient, password: str = PASSWORD, **name: str) -> Any:
    return client.post("/api/v1/auth/login", json={"password": password, **(name or {"username": "alice"})})


def disable(database: Database, person: Person) -> None:
    with database.transaction() as session:
        session.execute(update(User).where(User.id == person.user.id).values(disabled_at=func.now()))


@pytest.mark.parametrize(
    "name",
    [{"username": "alice"}, {"username": "ALICE"}, {"email": "alice@example.com"}, {"email": "Alice@Example.com"}],
)
def test_a_username_or_an_address_lets_in_whatever_its_case(
    client: FlaskClient, alice: Person, name: dict[str, str]
) -> None:
    data = data_of(log_in(client, **name))
    assert data["user"]["id"] == str(alice.user.id)
    assert data["user"]["last_login_at"] is not None
    headers = {"Authorization": f"Bearer {data['access_token']}"}
    assert data_of(client.get("/api/v1/auth/me", headers=headers))["username"] == "alice"


def test_logging_in_does_not_count_as_a_change_of_the_account(client: FlaskClient, alice: Person) -> None:
    user = data_of(log_in(client))["user"]
    assert user["updated_at"] == user["created_at"]


def test_a_hash_of_another_cost_is_renewed_by_the_login(client: FlaskClient, alice: Person, database: Database) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with database.transaction() as session:
        session.execute(update(User).values(password_hash=weak))
    data_of(log_in(client))
    with database.transaction() as session:
        renewed = session.get_one(User, alice.user.id).password_hash
    assert renewed != weak
    assert not PasswordHasher().check_needs_rehash(renewed or "")
    data_of(log_in(client))


def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(client: FlaskClient, alice: Person) -> None:
    wrong = log_in(client, "not the password")
    unknown = log_in(client, username="nobody")
    assert error_of(wrong, 401)["code"] == "INVALID_CREDENTIALS"
    assert error_of(unknown, 401) == error_of(wrong, 401)
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_account_without_a_password_is_not_entered_by_one(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    with database.transaction() as session:
        session.execute(update(User).values(password_hash=None))
    assert error_of(log_in(client), 401)["code"] == "INVALID_CREDENTIALS"


def test_only_who_knows_the_password_learns_that_an_account_is_disabled(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    disable(database, alice)
    assert error_of(log_in(client), 403)["code"] == "ACCOUNT_DISABLED"
    assert error_of(log_in(client, "not the password"), 401)["code"] == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "body",
    [
        {"password": PASSWORD},
        {"username": "alice"},
        {"username": "alice", "email": "alice@example.com", "password": PASSWORD},
        {"username": "alice\0", "password": PASSWORD},
        {"username": ["alice"], "password": PASSWORD},
        {"username": "alice", "password": "x" * 129},
    ],
)
def test_a_login_without_one_name_and_a_password_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    assert error_of(client.post("/api/v1/auth/login", json=body), 422)["code"] == "VALIDATION_ERROR"


def test_a_disabled_account_is_shut_out_on_the_next_request(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    data_of(client.get("/api/v1/auth/me", headers=alice.headers))
    disable(database, alice)
    assert error_of(client.get("/api/v1/auth/me", headers=alice.headers), 403)["code"] == "ACCOUNT_DISABLED"
    assert error_of(refresh(client, alice.refresh_token), 403)["code"] == "ACCOUNT_DISABLED"


def test_logging_out_ends_both_tokens_and_forgets_the_cookie(client: FlaskClient, alice: Person) -> None:
    response = client.post("/api/v1/auth/logout", json={"refresh_token": alice.refresh_token})
    assert response.status_code == 204
    assert "refresh_token=;" in response.headers["Set-Cookie"]
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert error_of(client.get("/api/v1/auth/me", headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"
    assert error_of(refresh(client, alice.refresh_token), 401)["code"] == "TOKEN_REVOKED"


def test_the_access_token_alone_logs_out_too(client: FlaskClient, alice: Person) -> None:
    assert client.post("/api/v1/auth/logout", headers=alice.headers).status_code == 204
    assert error_of(client.get("/api/v1/auth/me", headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"


def test_logging_out_twice_is_harmless_and_with_nothing_it_is_refused(client: FlaskClient, alice: Person) -> None:
    for _ in range(2):
        response = client.post("/api/v1/auth/logout", json={"refresh_token": alice.refresh_token})
        assert response.status_code == 204
    assert error_of(client.post("/api/v1/auth/logout"), 401)["code"] == "AUTH_REQUIRED"
    unknown = client.post("/api/v1/auth/logout", json={"refresh_token": "not ours"})
    assert error_of(unknown, 401)["code"] == "TOKEN_INVALID"


def test_the_logins_of_an_account_are_listed_and_the_present_one_is_marked(client: FlaskClient, alice: Person) -> None:
    client.post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD}, headers={"User-Agent": "phone"})
    rows = data_of(client.get("/api/v1/auth/sessions", headers=alice.headers))
    assert [(row["device"], row["is_current"]) for row in rows] == [("phone", False), ("tests", True)]


def test_a_login_is_ended_from_another_one(client: FlaskClient, alice: Person) -> None:
    phone = data_of(log_in(client))["access_token"]
    listed = data_of(client.get("/api/v1/auth/sessions", headers=alice.headers))
    (other,) = (row["id"] for row in listed if not row["is_current"])
    path = f"/api/v1/auth/sessions/{other}"
    assert client.delete(path, headers=alice.headers).status_code == 204
    ended = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {phone}"})
    assert error_of(ended, 401)["code"] == "TOKEN_REVOKED"
    data_of(client.get("/api/v1/auth/me", headers=alice.headers))
    assert error_of(client.delete(path, headers=alice.headers), 404)["code"] == "RESOURCE_NOT_FOUND"


def test_other_peoples_logins_do_not_exist(client: FlaskClient, app: Flask, alice: Person, database: Database) -> None:
    charlie = make_person(app, database, "charlie")
    assert len(data_of(client.get("/api/v1/auth/sessions", headers=charlie.headers))) == 1
    for session_id in (alice.session_id, uuid4()):
        refused = client.delete(f"/api/v1/auth/sessions/{session_id}", headers=charlie.headers)
        assert error_of(refused, 404)["details"]["resource_id"] == str(session_id)
    data_of(client.get("/api/v1/auth/me", headers=alice.headers))


def test_a_new_password_ends_every_other_login(client: FlaskClient, alice: Person) -> None:
    phone = data_of(log_in(client))["access_token"]
    body = {"current_password": PASSWORD, "new_password": "an even better battery"}
    response = client.post("/api/v1/auth/change-password", json=body, headers=alice.headers)
    assert response.status_code == 204
    data_of(client.get("/api/v1/auth/me", headers=alice.headers))
    ended = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {phone}"})
    assert error_of(ended, 401)["code"] == "TOKEN_REVOKED"
    assert error_of(log_in(client), 401)["code"] == "INVALID_CREDENTIALS"
    data_of(log_in(client, "an even better battery"))


def test_the_password_is_changed_by_who_knows_it_only(client: FlaskClient, alice: Person) -> None:
    path = "/api/v1/auth/change-password"
    wrong = {"current_password": "not the password", "new_password": "an even better battery"}
    error = error_of(client.post(path, json=wrong, headers=alice.headers), 401)
    assert (error["code"], error["details"]) == ("INVALID_CREDENTIALS", {"field": "current_password"})
    short = {"current_password": PASSWORD, "new_password": "short"}
    (fault,) = error_of(client.post(path, json=short, headers=alice.headers), 422)["errors"]
    assert fault["field"] == "new_password"
    data_of(log_in(client))


def test_logins_are_limited_by_address_and_account(client: FlaskClient, alice: Person) -> None:
    for _ in range(5):
        error_of(log_in(client, "not the password"), 401)
    refused = log_in(client)
    error = error_of(refused, 429)
    assert (error["code"], error["details"]["limit"], error["details"]["window"]) == ("RATE_LIMIT_EXCEEDED", 5, 900)
    assert int(refused.headers["Retry-After"]) > 0
    assert error_of(log_in(client, username="ALICE"), 429)["code"] == "RATE_LIMIT_EXCEEDED"
    assert error_of(log_in(client, username="bob"), 401)["code"] == "INVALID_CREDENTIALS"
    elsewhere = client.post(
        "/api/v1/auth/login",
        json={"username": "alice", "password": PASSWORD},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    data_of(elsewhere)


def test_refreshes_are_limited_by_address(client: FlaskClient, alice: Person) -> None:
    for _ in range(10):
        data_of(refresh(client, alice.refresh_token))
    assert error_of(refresh(client, alice.refresh_token), 429)["details"]["limit"] == 10
