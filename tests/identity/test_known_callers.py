"""Callers known from a moment ago: no query while nobody's rights change, and none is believed a request too long."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, update

from app import identity
from app.factory import create_app
from app.identity.models import ApiKey, LoginSession, User
from app.kernel.clock import database_now, sql_seconds, utc_now
from app.kernel.db import Database, table_of
from app.kernel.stamp import Stamp
from config.settings import Settings
from tests.conftest import Hints
from tests.support.clients import make_client, make_user
from tests.support.identity import Person, data_of, error_of, join, make_person

VERIFY = "/api/v1/auth/verify"


@pytest.fixture
def other(app: Flask, settings: Settings, database: Database) -> Iterator[FlaskClient]:
    """A client of another process's API: the same rows, the same Redis, a memory of its own."""
    api = create_app(settings, sender=Hints(), database=Database(database.bind))
    yield api.test_client()
    api.extensions["headrace"].limiter.close()


@pytest.fixture
def queries(engine: Engine) -> Iterator[list[str]]:
    """The statements that were sent to the database."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def _key_of(client: FlaskClient, person: Person) -> dict[str, str]:
    body = {"name": "robot", "scopes": ["jobs:read"]}
    made = data_of(client.post("/api/v1/api-keys", json=body, headers=person.headers), 201)
    return {"X-API-Key": made["key"]}


def test_a_token_seen_a_moment_ago_takes_no_query(client: FlaskClient, alice: Person, queries: list[str]) -> None:
    for _ in range(2):
        data_of(client.get(VERIFY, headers=alice.headers))
    queries.clear()
    assert data_of(client.get(VERIFY, headers=alice.headers))["active"] is True
    assert queries == []


def test_a_key_seen_a_moment_ago_takes_no_query(client: FlaskClient, alice: Person, queries: list[str]) -> None:
    headers = _key_of(client, alice)
    for _ in range(3):
        data_of(client.get(VERIFY, headers=headers))
    queries.clear()
    assert data_of(client.get(VERIFY, headers=headers))["active"] is True
    assert queries == []


def test_the_first_use_of_a_key_costs_nobody_else_a_query(
    client: FlaskClient, alice: Person, queries: list[str]
) -> None:
    headers = _key_of(client, alice)
    for _ in range(2):
        data_of(client.get(VERIFY, headers=alice.headers))
    data_of(client.get(VERIFY, headers=headers))
    queries.clear()
    data_of(client.get(VERIFY, headers=alice.headers))
    assert queries == []


def test_a_key_of_an_application_that_was_replaced_is_refused_by_every_process(
    client: FlaskClient, other: FlaskClient
) -> None:
    shop = make_client(client)
    ann = make_user(client, shop)
    for _ in range(2):
        for holder in (shop, ann):
            data_of(other.get(VERIFY, headers=holder.headers))
    data_of(client.post("/api/v1/users/login", json={"email": ann.said["email"]}, headers=shop.headers))
    assert error_of(other.get(VERIFY, headers=ann.headers), 401)["code"] == "TOKEN_REVOKED"
    data_of(client.post("/api/v1/clients/regenerate-key", headers=shop.headers))
    assert error_of(other.get(VERIFY, headers=shop.headers), 401)["code"] == "TOKEN_REVOKED"


def test_what_one_process_takes_away_every_other_refuses_at_the_next_request(
    client: FlaskClient, other: FlaskClient, alice: Person
) -> None:
    for _ in range(2):
        data_of(other.get(VERIFY, headers=alice.headers))
    ended = client.delete(f"/api/v1/auth/sessions/{alice.session_id}", headers=alice.headers)
    assert ended.status_code == 204
    assert error_of(other.get(VERIFY, headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"


@pytest.mark.parametrize(
    "statement",
    [
        update(LoginSession).values(ended_at=utc_now()),
        update(table_of(LoginSession)).values(ended_at=utc_now()),
        update(User).values(disabled_at=utc_now()),
        update(table_of(User)).values(disabled_at=utc_now()),
    ],
    ids=["logins", "the table of logins", "users", "the table of users"],
)
def test_statements_beside_the_unit_of_work_are_noticed(
    client: FlaskClient, alice: Person, database: Database, statement: Any
) -> None:
    for _ in range(2):
        data_of(client.get(VERIFY, headers=alice.headers))
    with database.transaction() as session:
        session.execute(statement)
    assert client.get(VERIFY, headers=alice.headers).status_code in (401, 403)


def test_a_key_that_ends_by_the_clock_ends_on_time(client: FlaskClient, alice: Person, database: Database) -> None:
    headers = _key_of(client, alice)
    with database.transaction() as session:
        session.execute(update(ApiKey).values(expires_at=database_now() + sql_seconds(2)))
    for _ in range(2):
        data_of(client.get(VERIFY, headers=headers))
    time.sleep(2.1)
    assert error_of(client.get(VERIFY, headers=headers), 401)["code"] == "KEY_EXPIRED"


def test_a_new_right_works_at_the_next_request(
    app: Flask, client: FlaskClient, alice: Person, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    path = f"/api/v1/organizations/{alice.organization_id}"
    for _ in range(2):
        error_of(client.get(path, headers=bob.headers), 404)
    join(database, bob, alice.organization_id, "viewer")
    assert data_of(client.get(path, headers=bob.headers))["id"] == str(alice.organization_id)


@pytest.mark.usefixtures("alice")
def test_a_change_that_is_rolled_back_renews_nothing(database: Database, redis_url: str) -> None:
    stamp = Stamp.open(redis_url, identity.RIGHTS)
    before = stamp.read() or stamp.read()
    with suppress(LookupError), database.transaction() as session:
        session.execute(update(User).values(role="admin"))
        raise LookupError
    assert before is not None
    assert stamp.read() == before


def test_a_redis_that_was_wiped_lets_nobody_be_believed(
    client: FlaskClient, alice: Person, redis_url: str, queries: list[str]
) -> None:
    for _ in range(2):
        data_of(client.get(VERIFY, headers=alice.headers))
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
    queries.clear()
    data_of(client.get(VERIFY, headers=alice.headers))
    assert len(queries) == 1


def test_without_redis_each_request_asks_the_database(
    app: Flask, settings: Settings, database: Database, alice: Person, queries: list[str]
) -> None:
    nowhere = dataclasses.replace(settings, redis_url="redis://127.0.0.1:1/0", rate_limits=False)
    client = create_app(nowhere, sender=Hints(), database=Database(database.bind)).test_client()
    data_of(client.get(VERIFY, headers=alice.headers))
    for _ in range(2):
        queries.clear()
        data_of(client.get(VERIFY, headers=alice.headers))
        assert len(queries) == 1
    with database.transaction() as session:
        session.execute(update(LoginSession).values(expires_at=LoginSession.expires_at - sql_seconds(10**7)))
    assert error_of(client.get(VERIFY, headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"


def test_a_key_that_is_known_lets_in_as_a_key_alone(client: FlaskClient, alice: Person) -> None:
    key = _key_of(client, alice)["X-API-Key"]
    for headers in ({"Authorization": key}, {"X-API-Key": alice.headers["Authorization"]}):
        for known in ({"X-API-Key": key}, alice.headers):
            data_of(client.get(VERIFY, headers=known))
        assert client.get(VERIFY, headers=headers).status_code == 401
