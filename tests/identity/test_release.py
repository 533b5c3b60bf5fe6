"""What the release step makes: a signing key and the first administrator, once, also when two release at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.identity import NameTaken, User, create_first_admin, ensure_signing_key
from app.identity.models import SigningKey
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.opening import open_database
from config.settings import Settings
from tests.identity.conftest import Committing
from tests.support.identity import PASSWORD, data_of, error_of, make_person
from tests.support.servers import Servers

T = TypeVar("T")


def twice_at_once(database: Database, act: Callable[[Session], T]) -> list[T]:
    together = Barrier(2)

    def run(_: int) -> T:
        with database.transaction() as session:
            together.wait(10)
            return act(session)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, range(2)))


def test_the_first_administrator_can_log_in_and_has_an_organization(client: FlaskClient, database: Database) -> None:
    with database.transaction() as session:
        create_first_admin(session, "root", "root@example.com", PASSWORD)
    data = data_of(client.post("/api/v1/auth/login", json={"username": "root", "password": PASSWORD}))
    assert data["user"]["role"] == "admin"
    headers = {"Authorization": f"Bearer {data['access_token']}"}
    (organization,) = data_of(client.get("/api/v1/organizations", headers=headers))
    assert organization["owner_id"] == data["user"]["id"]


def test_a_second_release_leaves_the_administrator_alone(client: FlaskClient, database: Database) -> None:
    with database.transaction() as session:
        assert create_first_admin(session, "root", "root@example.com", PASSWORD) is not None
        assert create_first_admin(session, "other", "other@example.com", "another password") is None
        assert create_first_admin(session, "root", "root@example.com", "another password") is None
    data_of(client.post("/api/v1/auth/login", json={"username": "root", "password": PASSWORD}))


def test_nobody_becomes_administrator_by_having_the_name(app: Flask, database: Database) -> None:
    mallory = make_person(app, database, "admin")
    with pytest.raises(NameTaken), database.transaction() as session:
        create_first_admin(session, "admin", "root@example.com", PASSWORD)
    with database.transaction() as session:
        assert session.get_one(User, mallory.user.id).role == "user"


def test_two_releases_at_once_make_one_administrator(committing: Committing) -> None:
    def act(session: Session) -> bool:
        return create_first_admin(session, "root", "root@example.com", PASSWORD) is not None

    assert sorted(twice_at_once(committing.database, act)) == [False, True]


@pytest.fixture
def unreleased(servers: Servers, worker_id: str) -> Iterator[Database]:
    """A database of its own, which has tables and nothing in them."""
    database = open_database(servers.new_database(f"unreleased_{worker_id}"), None)
    yield database
    database.bind.engine.dispose()


def test_two_releases_at_once_agree_on_one_signing_key(unreleased: Database, settings: Settings) -> None:
    vault = Vault(settings.secret_key)
    first, second = twice_at_once(unreleased, lambda session: ensure_signing_key(session, vault))
    assert first == second
    with unreleased.transaction() as session:
        assert session.scalar(select(func.count()).select_from(SigningKey)) == 1


def test_before_the_first_release_nobody_gets_a_token(app: Flask, database: Database, hints: Any) -> None:
    person = make_person(app, database, "alice")
    with database.transaction() as session:
        session.execute(delete(SigningKey))
    ring = app.extensions["headrace.keys"]
    fresh, app.extensions["headrace.keys"] = ring, type(ring)(database, app.extensions["headrace"].vault)
    try:
        login = app.test_client().post("/api/v1/auth/login", json={"username": "alice", "password": PASSWORD})
    finally:
        app.extensions["headrace.keys"] = fresh
    assert error_of(login, 503)["code"] == "SERVICE_UNAVAILABLE"
    assert person.user.username == "alice"
