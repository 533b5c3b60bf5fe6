"""Idempotency-Key: the same request twice has one effect and one reply."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, func, select, text, update

from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.idempotency import IdempotencyKey, forget_expired_keys
from tests.http.conftest import As
from tests.support import toy_room
from tests.support.toy_room import Gadget

PATH = "/api/v1/gadgets"
KEY = {"Idempotency-Key": "order 66"}
BELL = {"name": "bell", "size": 4}


def count(database: Database) -> int:
    with database.transaction() as session:
        return session.execute(select(func.count()).select_from(Gadget)).scalar_one()


def lapse(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(IdempotencyKey).values(expires_at=database_now() - text("interval '1 second'")))


def test_the_first_reply_is_given_again(alice: FlaskClient, database: Database):
    first = alice.post(PATH, json=BELL, headers=KEY)
    again = alice.post(PATH, json=BELL, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json["data"] == first.json["data"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.json["meta"]["request_id"] == again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert count(database) == 1


def test_the_reply_of_long_work_keeps_its_job(alice: FlaskClient, gadget: Any):
    first = alice.post(f"{PATH}/{gadget.id}", headers=KEY)
    again = alice.post(f"{PATH}/{gadget.id}", headers=KEY)
    assert first.status_code == again.status_code == 202
    assert first.headers["Location"] == again.headers["Location"] == f"/api/v1/jobs/{first.json['data']['job_id']}"
    assert first.headers["Retry-After"] == again.headers["Retry-After"] == "1"


def test_without_a_key_each_request_counts(alice: FlaskClient, database: Database):
    assert alice.post(PATH, json=BELL).status_code == 201
    assert alice.post(PATH, json=BELL).status_code == 409


@pytest.mark.parametrize("other", [{"name": "gong"}, {"name": "bell", "size": 5}, {}])
def test_the_same_key_for_another_body_is_refused(alice: FlaskClient, other: dict[str, Any], database: Database):
    alice.post(PATH, json=BELL, headers=KEY)
    reply = alice.post(PATH, json=other, headers=KEY)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert count(database) == 1


def test_the_same_key_for_another_path_is_refused(alice: FlaskClient, gadget: Any):
    alice.post(PATH, json=BELL, headers=KEY)
    reply = alice.post(f"{PATH}/{gadget.id}", json=BELL, headers=KEY)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_key_is_its_callers_own(as_: As, alice: FlaskClient, database: Database):
    assert alice.post(PATH, json=BELL, headers=KEY).status_code == 201
    reply = as_("admin").post(PATH, json={"name": "gong"}, headers=KEY)
    assert (reply.status_code, reply.json["data"]["name"]) == (201, "gong")


def test_a_refusal_is_a_reply_too(alice: FlaskClient):
    first = alice.post(PATH, json={"size": 1}, headers=KEY)
    again = alice.post(PATH, json={"size": 1}, headers=KEY)
    assert first.status_code == again.status_code == 422
    assert again.json["error"] == first.json["error"]
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "tab\there"])
def test_what_is_no_key_is_refused(alice: FlaskClient, key: str, database: Database):
    reply = alice.post(PATH, json=BELL, headers={"Idempotency-Key": key})
    assert (reply.status_code, reply.json["error"]["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert count(database) == 0


def test_a_key_may_be_as_long_as_promised(alice: FlaskClient):
    assert alice.post(PATH, json=BELL, headers={"Idempotency-Key": "x" * 255}).status_code == 201


def test_our_own_failure_is_not_kept(alice: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(toy_room, "add_gadget", lambda *_, **__: 1 / 0)
    assert alice.post(PATH, json=BELL, headers=KEY).status_code == 500
    monkeypatch.undo()
    assert alice.post(PATH, json=BELL, headers=KEY).status_code == 201


def test_a_claim_whose_process_died_lapses(alice: FlaskClient, database: Database):
    with database.transaction() as session:
        alice_id = str(toy_room.CALLERS["alice"].user_id)
        values = {"fingerprint": "of the dead", "claim": alice_id, "expires_at": database_now()}
        session.execute(IdempotencyKey.__table__.insert().values(caller=alice_id, key="order 66", **values))
    lapse(database)
    assert alice.post(PATH, json=BELL, headers=KEY).status_code == 201


def test_after_a_day_a_key_is_new(alice: FlaskClient, database: Database):
    alice.post(PATH, json=BELL, headers=KEY)
    lapse(database)
    assert alice.post(PATH, json={"name": "gong"}, headers=KEY).status_code == 201


def test_keys_of_yesterday_are_forgotten(alice: FlaskClient, database: Database):
    alice.post(PATH, json=BELL, headers=KEY)
    with database.transaction() as session:
        assert forget_expired_keys(session) == 0
    lapse(database)
    with database.transaction() as session:
        assert forget_expired_keys(session) == 1


def test_kept_replies_are_not_readable_in_the_database(alice: FlaskClient, database: Database):
    alice.post(PATH, json={"name": "a secret shown once"}, headers=KEY)
    with database.transaction() as session:
        kept = session.execute(select(IdempotencyKey)).scalar_one()
    assert kept.sealed_reply
    assert b"secret" not in kept.sealed_reply


@pytest.fixture
def lasting(toy: Flask, database: Database, engine: Engine) -> Iterator[Database]:
    """The database with real commits, as two requests at once need it; cleaned up afterwards."""
    bound, database.bind = database.bind, engine
    bound.rollback()
    toy_room.ToyBase.metadata.create_all(engine)
    yield database
    toy_room.ToyBase.metadata.drop_all(engine)
    with database.transaction() as session:
        session.execute(delete(IdempotencyKey))
    database.bind = bound


def test_of_two_requests_at_once_one_runs(as_: As, lasting: Database, monkeypatch: pytest.MonkeyPatch):
    inside, go_on = threading.Event(), threading.Event()
    add_gadget = toy_room.add_gadget

    def add_slowly(*args: Any, **kwargs: Any) -> Gadget:
        inside.set()
        assert go_on.wait(10)
        return add_gadget(*args, **kwargs)

    monkeypatch.setattr(toy_room, "add_gadget", add_slowly)
    replies: list[Any] = []
    first = threading.Thread(target=lambda: replies.append(as_("alice").post(PATH, json=BELL, headers=KEY)))
    first.start()
    assert inside.wait(10)
    second = as_("alice").post(PATH, json=BELL, headers=KEY)
    assert (second.status_code, second.json["error"]["code"]) == (409, "IDEMPOTENCY_IN_FLIGHT")
    assert second.headers["Retry-After"] == "1"
    go_on.set()
    first.join(10)
    assert replies[0].status_code == 201
    assert as_("alice").post(PATH, json=BELL, headers=KEY).headers["Idempotent-Replayed"] == "true"
    assert count(lasting) == 1


def test_of_many_requests_at_once_one_has_an_effect(as_: As, lasting: Database):
    replies: list[Any] = []
    callers = [
        threading.Thread(target=lambda: replies.append(as_("alice").post(PATH, json=BELL, headers=KEY)))
        for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert count(lasting) == 1
    fresh = [reply for reply in replies if reply.status_code == 201 and "Idempotent-Replayed" not in reply.headers]
    assert len(fresh) == 1
    assert {reply.status_code for reply in replies} <= {201, 409}
