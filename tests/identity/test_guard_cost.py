"""What it costs to know a caller whom nobody has seen: one statement, and a signature verified once in a while."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, event

from app.identity import tokens
from app.identity.known_callers import KnownCallers
from app.identity.seen_tokens import KEPT_SECONDS, MOST_TOKENS, SeenTokens
from app.kernel.db import Database
from app.kernel.stamp import Stamp
from tests.identity.conftest import Committing
from tests.support.identity import Person, data_of, error_of, make_person

VERIFY = "/api/v1/auth/verify"


@pytest.fixture(autouse=True)
def nobody_was_seen(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.extensions, tokens.SEEN, SeenTokens())
    monkeypatch.setitem(app.extensions, tokens.KNOWN, KnownCallers(Stamp.open("redis://127.0.0.1:1/0", "rights")))


def test_a_caller_is_known_by_one_statement(client: FlaskClient, alice: Person, database: Database) -> None:
    made = client.post("/api/v1/api-keys", json={"name": "k", "scopes": ["jobs:read"]}, headers=alice.headers)
    key = {"X-API-Key": data_of(made, 201)["key"]}
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    assert isinstance(database.bind, Connection)
    client.get(VERIFY, headers=key)
    event.listen(database.bind, "before_cursor_execute", note)
    for headers in (alice.headers, key):
        said.clear()
        data_of(client.get(VERIFY, headers=headers))
        assert len(said) == 1, said
    event.remove(database.bind, "before_cursor_execute", note)


def test_to_look_at_a_caller_leaves_no_transaction_open(committing: Committing) -> None:
    person = make_person(committing.app, committing.database, "ann")
    with committing.database.looking() as connection:
        driver: Any = connection.connection.dbapi_connection
        tokens.read_principal(connection, person.user.id, person.session_id, None)  # type: ignore[arg-type]
        assert driver.info.transaction_status.name == "IDLE"
    with committing.database.transaction() as session:
        assert session.connection().connection.dbapi_connection.autocommit is False  # type: ignore[union-attr]


def test_a_signature_is_verified_once_and_its_end_each_time(
    client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_of(client.get(VERIFY, headers=alice.headers))
    monkeypatch.setattr(tokens, "_verify", lambda: pytest.fail("it was verified again"))
    data_of(client.get(VERIFY, headers=alice.headers))
    now = tokens.time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now + 900 + tokens.LEEWAY_SECONDS)
    assert error_of(client.get(VERIFY, headers=alice.headers), 401)["code"] == "TOKEN_EXPIRED"


def test_tokens_are_remembered_for_a_while_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, clock = SeenTokens(), [0.0]
    monkeypatch.setattr("app.identity.seen_tokens.time.monotonic", lambda: clock[0])
    for number in range(MOST_TOKENS + 1):
        seen.keep(str(number), {"exp": number})
    assert seen.find("0") is None
    assert seen.find("1") == {"exp": 1}
    clock[0] = KEPT_SECONDS
    assert seen.find("1") is None
