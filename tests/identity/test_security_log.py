"""The security log, ending all other logins, and what is deleted in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app import jobs
from app.identity import PruneIdentity
from app.identity.models import LoginSession, LoginThrottle, RefreshToken, SecurityEvent
from app.kernel.crypto import hash_token
from app.kernel.db import Database
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person, refresh
from tests.support.work import drain


class Tools:
    access_token_seconds = 900


def log_in(client: FlaskClient, password: str = PASSWORD, agent: str = "phone") -> Any:
    body = {"username": "alice", "password": password}
    return client.post("/api/v1/auth/login", json=body, headers={"User-Agent": agent})


def read_log(client: FlaskClient, person: Person, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = data_of(client.get(f"/api/v1/auth/security-log{query}", headers=person.headers))
    return rows


def test_logins_failures_and_changes_are_in_the_log(client: FlaskClient, app: Flask, alice: Person) -> None:
    data_of(log_in(client))
    error_of(log_in(client, "not the password", "thief"), 401)
    new = {"current_password": PASSWORD, "new_password": "an even better battery"}
    assert client.post("/api/v1/auth/change-password", json=new, headers=alice.headers).status_code == 204
    assert app.test_client().post("/api/v1/auth/logout", headers=alice.headers).status_code == 204
    again = data_of(log_in(client, "an even better battery"))
    headers = {"Authorization": f"Bearer {again['access_token']}"}
    rows = data_of(client.get("/api/v1/auth/security-log", headers=headers))
    assert [row["type"] for row in rows] == [
        "login_succeeded",
        "logged_out",
        "password_changed",
        "login_failed",
        "login_succeeded",
    ]
    assert (rows[3]["device"], rows[3]["ip_address"]) == ("thief", "127.0.0.1")
    assert (rows[4]["details"], rows[0]["details"]) == ({"known_device": False}, {"known_device": True})


def test_the_log_is_filtered_by_type_and_is_ones_own(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    error_of(log_in(client, "not the password"), 401)
    data_of(log_in(client))
    (row,) = read_log(client, alice, "?type=login_failed")
    assert row["type"] == "login_failed"
    assert error_of(client.get("/api/v1/auth/security-log?type=odd", headers=alice.headers), 422)
    assert read_log(client, make_person(app, database, "charlie")) == []


def test_a_replay_is_in_the_log_once(client: FlaskClient, alice: Person, database: Database) -> None:
    data_of(refresh(client, alice.refresh_token))
    with database.transaction() as session:
        used = RefreshToken.token_hash == hash_token(alice.refresh_token)
        session.execute(update(RefreshToken).where(used).values(used_at=RefreshToken.used_at - timedelta(seconds=11)))
    for _ in range(2):
        error_of(refresh(client, alice.refresh_token), 401)
    data_of(log_in(client))
    with database.transaction() as session:
        found = session.scalars(select(SecurityEvent.details).where(SecurityEvent.type == "token_replayed")).all()
    assert found == [{"session_id": str(alice.session_id)}]


def test_all_other_logins_are_ended_at_once(client: FlaskClient, alice: Person) -> None:
    others = [data_of(log_in(client))["access_token"] for _ in range(2)]
    reply = client.post("/api/v1/auth/sessions/revoke-all", headers=alice.headers)
    assert data_of(reply) == {"revoked": 2}
    for token in others:
        ended = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert error_of(ended, 401)["code"] == "TOKEN_REVOKED"
    assert [row["is_current"] for row in data_of(client.get("/api/v1/auth/sessions", headers=alice.headers))] == [True]
    assert read_log(client, alice)[0]["type"] == "sessions_revoked"


def test_other_peoples_logins_go_on(client: FlaskClient, app: Flask, alice: Person, database: Database) -> None:
    charlie = make_person(app, database, "charlie")
    data_of(client.post("/api/v1/auth/sessions/revoke-all", headers=alice.headers))
    data_of(client.get("/api/v1/auth/me", headers=charlie.headers))


def test_what_was_kept_long_enough_is_deleted(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    bob, charlie = (make_person(app, database, name) for name in ("bob", "charlie"))
    error_of(log_in(client, "not the password"), 401)
    data_of(refresh(client, charlie.refresh_token))
    set_back(database, LoginSession.id == bob.session_id, LoginSession, ended_at=31)
    set_back(database, LoginSession.id == alice.session_id, LoginSession, ended_at=29)
    set_back(database, SecurityEvent.user_id == alice.user.id, SecurityEvent, created_at=366)
    set_back(database, LoginThrottle.failures == 1, LoginThrottle, failed_at=3)
    set_back(database, RefreshToken.token_hash == hash_token(charlie.refresh_token), RefreshToken, expires_at=1)
    with database.transaction() as session:
        job_id = jobs.accept(session, PruneIdentity())
    drain(database, Tools())
    assert result_of(database, job_id) == {
        "retired_keys": 0,
        "logins": 1,
        "refresh_tokens": 1,
        "security_events": 1,
        "failures": 1,
        "challenges": 0,
        "external_logins": 0,
        "mails": 0,
        "mailed_tokens": 0,
        "client_keys": 0,
        "deleted_clients": 0,
    }
    with database.transaction() as session:
        kept = set(session.scalars(select(LoginSession.id)))
    assert kept == {alice.session_id, charlie.session_id}


def set_back(database: Database, which: Any, model: Any, **days: int) -> None:
    with database.transaction() as session:
        values = {name: func.now() - timedelta(days=count) for name, count in days.items()}
        session.execute(update(model).where(which).values(values))


def result_of(database: Database, job_id: UUID) -> Any:
    with database.transaction() as session:
        return session.get_one(jobs.Job, job_id).result


@pytest.mark.parametrize("path", ["/api/v1/auth/security-log", "/api/v1/auth/sessions"])
def test_nobody_reads_them_without_a_login(client: FlaskClient, path: str) -> None:
    assert error_of(client.get(path), 401)["code"] == "AUTH_REQUIRED"
