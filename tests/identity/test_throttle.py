"""Failed logins: they slow down who fails, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.identity.models import LoginThrottle
from app.kernel.db import Database
from tests.support.identity import PASSWORD, Person, data_of, error_of

pytestmark = pytest.mark.slow

WRONG = "not the password"


@pytest.fixture
def unlimited(app: Flask) -> Any:
    """The API without the limits of Redis, so that what the database counts shows."""
    parts = app.extensions["headrace"]
    parts.limited = False
    yield
    parts.limited = True


def log_in(client: FlaskClient, password: str, address: str = "192.0.2.1", name: str = "alice") -> Any:
    body = {"username": name, "password": password}
    return client.post("/api/v1/auth/login", json=body, environ_base={"REMOTE_ADDR": address})


def wait(database: Database, seconds: int) -> None:
    """Let what was counted lie further back."""
    with database.transaction() as session:
        ago = timedelta(seconds=seconds)
        session.execute(
            update(LoginThrottle).values(
                failed_at=LoginThrottle.failed_at - ago, blocked_until=LoginThrottle.blocked_until - ago
            )
        )


def fail(client: FlaskClient, times: int, **where: str) -> None:
    for _ in range(times):
        error_of(log_in(client, WRONG, **where), 401)


@pytest.mark.usefixtures("unlimited", "alice")
def test_the_fifth_failure_closes_the_door_for_a_while_and_each_further_one_for_twice_as_long(
    client: FlaskClient, database: Database
) -> None:
    fail(client, 5)
    for expected in (30, 60, 120):
        refused = log_in(client, PASSWORD)
        error = error_of(refused, 429)
        assert error["code"] == "RATE_LIMIT_EXCEEDED"
        assert expected - 5 <= error["details"]["retry_after"] <= expected + 1
        assert refused.headers["Retry-After"] == str(error["details"]["retry_after"])
        wait(database, expected + 1)
        fail(client, 1)


@pytest.mark.usefixtures("unlimited", "alice")
def test_no_wait_is_longer_than_an_hour(client: FlaskClient, database: Database) -> None:
    fail(client, 1)
    with database.transaction() as session:
        session.execute(update(LoginThrottle).values(failures=1000))
    fail(client, 1)
    assert error_of(log_in(client, PASSWORD), 429)["details"]["retry_after"] <= 3601


@pytest.mark.usefixtures("unlimited", "alice")
def test_a_success_and_a_day_of_peace_begin_the_count_anew(client: FlaskClient, database: Database) -> None:
    fail(client, 4)
    data_of(log_in(client, PASSWORD))
    client.delete_cookie("device", path="/api/v1/auth")
    fail(client, 4)
    wait(database, 86_500)
    fail(client, 4)
    data_of(log_in(client, PASSWORD))


@pytest.mark.usefixtures("unlimited", "alice")
def test_an_outsider_locks_nobody_out(client: FlaskClient, app: Flask) -> None:
    owner = app.test_client()
    data_of(log_in(owner, PASSWORD))
    fail(client, 5)
    error_of(log_in(client, PASSWORD), 429)
    data_of(log_in(app.test_client(), PASSWORD, address="198.51.100.9"))
    data_of(log_in(owner, PASSWORD))


@pytest.mark.usefixtures("unlimited", "alice")
def test_a_known_device_may_not_guess_without_end_either(client: FlaskClient) -> None:
    data_of(log_in(client, PASSWORD))
    fail(client, 5)
    error_of(log_in(client, PASSWORD), 429)


@pytest.mark.usefixtures("unlimited", "alice")
def test_another_accounts_device_or_a_forged_one_is_nobodys(client: FlaskClient, app: Flask) -> None:
    body = {"username": "mallory", "email": "mallory@example.com", "password": PASSWORD}
    data_of(client.post("/api/v1/auth/register", json=body, environ_base={"REMOTE_ADDR": "192.0.2.1"}), 201)
    fail(client, 5)
    error_of(log_in(client, PASSWORD), 429)
    for forged in ("x", "a.b.c", f"{'0' * 32}.name.{'0' * 64}", "\u00e9.\u00e9.\u00e9"):
        other = app.test_client()
        other.set_cookie("device", forged, path="/api/v1/auth")
        error_of(log_in(other, PASSWORD), 429)


@pytest.mark.usefixtures("unlimited", "alice")
def test_an_unknown_name_is_counted_like_a_known_one(client: FlaskClient) -> None:
    fail(client, 5, name="nobody")
    known = log_in(client, WRONG)
    assert error_of(log_in(client, WRONG, name="nobody"), 429)["code"] == "RATE_LIMIT_EXCEEDED"
    assert known.status_code == 401


@pytest.mark.usefixtures("unlimited")
def test_failures_are_kept_without_names(client: FlaskClient, alice: Person, database: Database) -> None:
    fail(client, 1)
    with database.transaction() as session:
        rows = session.scalars(select(LoginThrottle)).all()
        assert session.scalar(select(func.count()).select_from(LoginThrottle)) == 1
    assert "alice" not in rows[0].subject


@pytest.mark.usefixtures("alice")
def test_behind_one_address_the_limit_of_logins_spares_the_known_device(client: FlaskClient, app: Flask) -> None:
    owner = app.test_client()
    data_of(log_in(owner, PASSWORD))
    for _ in range(4):
        error_of(log_in(client, WRONG), 401)
    error_of(log_in(client, PASSWORD), 429)
    data_of(log_in(owner, PASSWORD))
