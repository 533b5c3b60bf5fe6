"""Registration: who gets an account, and with what."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.factory import create_app
from app.identity import User
from app.kernel.db import Database
from config.settings import Settings
from tests.identity.conftest import Committing
from tests.support.identity import PASSWORD, Person, data_of, error_of

ALICE = {"username": "alice", "email": "alice@example.com", "password": PASSWORD}


def register(client: FlaskClient, **changes: Any) -> Any:
    return client.post("/api/v1/auth/register", json=ALICE | changes)


def test_registering_logs_in_with_a_cookie_that_scripts_cannot_read(client: FlaskClient) -> None:
    response = register(client)
    data = data_of(response, 201)
    assert (data["user"]["username"], data["token_type"], data["expires_in"]) == ("alice", "Bearer", 900)
    assert "refresh_token" not in data
    assert not {"password", "password_hash"} & data["user"].keys()
    cookie, device = response.headers.getlist("Set-Cookie")
    assert (cookie.partition("=")[0], device.partition("=")[0]) == ("refresh_token", "device")
    assert {"HttpOnly", "SameSite=Strict", "Path=/api/v1/auth", "Max-Age=604800"} <= set(cookie.split("; "))
    assert {"HttpOnly", "SameSite=Strict", "Path=/api/v1/auth", "Max-Age=34560000"} <= set(device.split("; "))
    assert response.headers["Cache-Control"] == "no-store"
    me = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {data['access_token']}"})
    assert data_of(me) == data["user"]


def test_outside_development_the_cookie_is_for_encrypted_connections(
    settings: Settings, database: Database, hints: Any
) -> None:
    app = create_app(replace(settings, environment="production"), sender=hints, database=database)
    cookies = register(app.test_client()).headers.getlist("Set-Cookie")
    assert ["Secure" in cookie.split("; ") for cookie in cookies] == [True, True]


def test_in_development_the_cookie_goes_over_plain_connections(
    settings: Settings, database: Database, hints: Any
) -> None:
    app = create_app(replace(settings, environment="development"), sender=hints, database=database)
    cookies = register(app.test_client()).headers.getlist("Set-Cookie")
    assert ["Secure" in cookie.split("; ") for cookie in cookies] == [False, False]


def test_a_client_without_cookies_asks_for_the_token_in_the_body(client: FlaskClient) -> None:
    token = data_of(register(client, delivery="body"), 201)["refresh_token"]
    client.delete_cookie("refresh_token", path="/api/v1/auth")
    refreshed = client.post("/api/v1/auth/refresh", json={"refresh_token": token})
    assert data_of(refreshed)["refresh_token"] != token


def test_the_new_account_finds_its_personal_organization_at_once(client: FlaskClient) -> None:
    token = data_of(register(client), 201)["access_token"]
    listed = data_of(client.get("/api/v1/organizations", headers={"Authorization": f"Bearer {token}"}))
    assert [(row["name"], row["slug"], row["is_personal"]) for row in listed] == [("alice", "alice", True)]


def test_the_password_is_kept_as_argon2id(client: FlaskClient, database: Database) -> None:
    register(client)
    with database.transaction() as session:
        stored = session.scalars(select(User.password_hash)).one()
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "other@example.com"}, "username"),
        ({"username": "ALICE", "email": "other@example.com"}, "username"),
        ({"username": "other"}, "email"),
        ({"username": "other", "email": "Alice@Example.com"}, "email"),
    ],
)
def test_a_name_or_address_is_taken_whatever_its_case(
    client: FlaskClient, alice: Person, changes: dict[str, str], field: str
) -> None:
    error = error_of(register(client, **changes), 409)
    assert (error["code"], error["details"]) == ("RESOURCE_ALREADY_EXISTS", {"field": field})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "al"}, "username"),
        ({"username": "a" * 51}, "username"),
        ({"username": "alice smith"}, "username"),
        ({"username": "alice\n"}, "username"),
        ({"username": "\u0430lice"}, "username"),
        ({"username": 7}, "username"),
        ({"email": "alice"}, "email"),
        ({"email": "alice@example.com\r\nBcc: all@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": None}, "password"),
        ({"delivery": "pigeon"}, "delivery"),
        ({"role": "admin"}, "role"),
    ],
)
def test_a_registration_that_is_not_valid_is_refused_by_field(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    error = error_of(register(client, **changes), 422)
    assert error["code"] == "VALIDATION_ERROR"
    assert {fault["field"] for fault in error["errors"]} == {field}


def test_nobody_registers_where_registration_is_closed(settings: Settings, database: Database, hints: Any) -> None:
    app: Flask = create_app(replace(settings, registration_open=False), sender=hints, database=database)
    assert error_of(register(app.test_client()), 403)["code"] == "INSUFFICIENT_PERMISSIONS"


def test_registrations_are_limited_by_address(client: FlaskClient) -> None:
    for number in range(3):
        data_of(register(client, username=f"user{number}", email=f"user{number}@example.com"), 201)
    refused = register(client)
    assert error_of(refused, 429)["details"]["limit"] == 3
    assert int(refused.headers["Retry-After"]) > 0


def test_of_two_registrations_at_once_for_one_name_one_is_refused(committing: Committing) -> None:
    together = Barrier(2)

    def send(number: int) -> int:
        client = committing.app.test_client()
        together.wait(10)
        return int(register(client, email=f"alice{number}@example.com").status_code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, range(2))) == [201, 409]
