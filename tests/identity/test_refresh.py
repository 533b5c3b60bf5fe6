"""Refresh tokens: each works once, honest repeats are answered, replays end the login."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.identity.models import LoginSession, RefreshToken
from app.kernel.crypto import hash_token
from app.kernel.db import Database
from tests.identity.conftest import Committing
from tests.support.identity import Person, data_of, error_of, make_person, refresh

AT_ONCE = 16


def age(database: Database, token: str, seconds: float) -> None:
    """Let the use of a token lie further back."""
    with database.transaction() as session:
        session.execute(
            update(RefreshToken)
            .where(RefreshToken.token_hash == hash_token(token))
            .values(used_at=RefreshToken.used_at - timedelta(seconds=seconds))
        )


def next_token(client: FlaskClient, token: str) -> str:
    successor: str = data_of(refresh(client, token))["refresh_token"]
    return successor


def test_a_refresh_gives_a_new_pair_of_tokens(client: FlaskClient, alice: Person) -> None:
    data = data_of(refresh(client, alice.refresh_token))
    assert data["user"]["username"] == "alice"
    assert data["refresh_token"] != alice.refresh_token
    headers = {"Authorization": f"Bearer {data['access_token']}"}
    assert data_of(client.get("/api/v1/auth/me", headers=headers))["username"] == "alice"
    assert next_token(client, data["refresh_token"]) != data["refresh_token"]


def test_the_cookie_refreshes_and_its_answer_shows_scripts_no_token(client: FlaskClient, alice: Person) -> None:
    client.set_cookie("refresh_token", alice.refresh_token, path="/api/v1/auth")
    response = client.post("/api/v1/auth/refresh")
    assert "refresh_token" not in data_of(response)
    assert alice.refresh_token not in response.headers["Set-Cookie"]
    data_of(client.post("/api/v1/auth/refresh"))


def test_the_same_token_again_at_once_gets_the_same_successor(client: FlaskClient, alice: Person) -> None:
    first = next_token(client, alice.refresh_token)
    assert next_token(client, alice.refresh_token) == first
    assert next_token(client, first) != first


def test_a_late_repeat_gets_the_newest_token_of_its_chain(client: FlaskClient, alice: Person) -> None:
    second = next_token(client, next_token(client, alice.refresh_token))
    assert next_token(client, alice.refresh_token) == second


def test_a_replay_ends_the_whole_login(client: FlaskClient, alice: Person, database: Database) -> None:
    successor = next_token(client, alice.refresh_token)
    age(database, alice.refresh_token, 11)
    assert error_of(refresh(client, alice.refresh_token), 401)["code"] == "TOKEN_REVOKED"
    assert error_of(refresh(client, successor), 401)["code"] == "TOKEN_REVOKED"
    assert error_of(client.get("/api/v1/auth/me", headers=alice.headers), 401)["code"] == "TOKEN_REVOKED"
    with database.transaction() as session:
        assert session.get_one(LoginSession, alice.session_id).end_reason == "replayed"


def test_a_repeat_within_ten_seconds_is_no_replay(client: FlaskClient, alice: Person, database: Database) -> None:
    successor = next_token(client, alice.refresh_token)
    age(database, alice.refresh_token, 8)
    assert next_token(client, alice.refresh_token) == successor


def test_a_replay_ends_no_other_login(client: FlaskClient, app: Any, alice: Person, database: Database) -> None:
    charlie = make_person(app, database, "charlie")
    next_token(client, alice.refresh_token)
    age(database, alice.refresh_token, 11)
    refresh(client, alice.refresh_token)
    next_token(client, charlie.refresh_token)


def test_an_expired_token_is_told_from_one_that_is_not_ours(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    with database.transaction() as session:
        session.execute(update(RefreshToken).values(expires_at=func.now() - timedelta(seconds=1)))
    assert error_of(refresh(client, alice.refresh_token), 401)["code"] == "TOKEN_EXPIRED"
    assert error_of(refresh(client, "not ours"), 401)["code"] == "TOKEN_INVALID"
    assert error_of(client.post("/api/v1/auth/refresh"), 401)["code"] == "AUTH_REQUIRED"


def test_a_refresh_extends_the_login(client: FlaskClient, alice: Person, database: Database) -> None:
    with database.transaction() as session:
        before = session.get_one(LoginSession, alice.session_id).expires_at
    next_token(client, alice.refresh_token)
    with database.transaction() as session:
        after = session.get_one(LoginSession, alice.session_id).expires_at
    assert after - before > timedelta(days=6)


def test_the_tables_hold_no_token_that_would_let_in(client: FlaskClient, alice: Person, database: Database) -> None:
    successor = next_token(client, alice.refresh_token)
    with database.transaction() as session:
        rows = session.scalars(select(RefreshToken)).all()
    kept = [value for row in rows for value in (row.token_hash.encode(), row.sealed_successor or b"")]
    assert len(rows) == 2
    assert not any(token.encode() in value for token in (alice.refresh_token, successor) for value in kept)


def test_refreshes_at_once_rotate_once_and_all_get_the_same_living_token(committing: Committing) -> None:
    alice = make_person(committing.app, committing.database, "alice")
    together = Barrier(AT_ONCE)

    def send(_: int) -> tuple[int, str]:
        client = committing.app.test_client()
        together.wait(10)
        response = refresh(client, alice.refresh_token)
        return response.status_code, response.get_json()["data"]["refresh_token"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = Counter(pool.map(send, range(AT_ONCE)))
    assert list(answers.values()) == [AT_ONCE]
    ((status, successor),) = answers
    assert status == 200
    with committing.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(RefreshToken)) == 2
    assert next_token(committing.app.test_client(), successor) != successor


def test_a_client_that_refreshes_from_many_places_loses_some_replies_and_stays_logged_in(
    committing: Committing,
) -> None:
    alice = make_person(committing.app, committing.database, "alice")
    jar = [alice.refresh_token]

    def browse(number: int) -> list[int]:
        client, seen = committing.app.test_client(), []
        for turn in range(5):
            response = refresh(client, jar[0])
            seen.append(response.status_code)
            is_lost = (number + turn) % 10 == 0
            if response.status_code == 200 and not is_lost:
                jar[0] = response.get_json()["data"]["refresh_token"]
        return seen

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = [status for seen in pool.map(browse, range(AT_ONCE)) for status in seen]
    assert statuses == [200] * (5 * AT_ONCE)


def test_a_logout_amid_refreshes_is_final(committing: Committing) -> None:
    alice = make_person(committing.app, committing.database, "alice")
    together = Barrier(AT_ONCE)

    def act(number: int) -> str | None:
        client = committing.app.test_client()
        together.wait(10)
        if number == 0:
            client.post("/api/v1/auth/logout", json={"refresh_token": alice.refresh_token})
            return None
        response = refresh(client, alice.refresh_token)
        return response.get_json()["data"]["refresh_token"] if response.status_code == 200 else None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        tokens = {token for token in pool.map(act, range(AT_ONCE)) if token}
    for token in tokens | {alice.refresh_token}:
        error = error_of(refresh(committing.app.test_client(), token), 401)
        assert error["code"] == "TOKEN_REVOKED"
