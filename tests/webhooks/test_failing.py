"""Failures: what is not taken is tried again by the schedule, and who fails for long is left alone."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from app.identity.models import AccountMail, Membership
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.webhooks import Patience
from tests.support.identity import Person, data_of, join, make_person
from tests.support.receivers import Receiver
from tests.support.webhooks import API, Postman, created, make_webhook

pytestmark = pytest.mark.slow

FIVE_DAYS = timedelta(days=5)


def test_what_fails_is_tried_eight_times_by_the_schedule_and_signed_anew(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    receiver.answers(*[500] * 20)
    made = make_webhook(client, alice, receiver.url)
    postman = postman.patient(Patience(timeout=30.0))
    postman.announce(created(alice))
    pauses = []
    for _ in range(8):
        assert postman.turn()["attempts"] == 1
        (one,) = postman.deliveries(made["id"])
        if one.next_attempt_at is not None:
            pauses.append((one.next_attempt_at - postman.attempts(made["id"])[-1].begun_at).total_seconds())
            postman.age(made["id"], timedelta(hours=12))
    hours = [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
    assert len(pauses) == 7
    assert all(0.89 * due <= pause <= 1.11 * due + 5 for pause, due in zip(pauses, hours, strict=True)), pauses
    assert (one.status, one.tries, one.last_code) == ("failed", 8, "RECEIVER_REFUSED")
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert all(got.verified(made["secret"]) for got in receiver.got)


def test_a_receiver_that_asks_for_time_gets_it(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    receiver.answer = lambda _, nth: (503, {"Retry-After": "900"}, b"")
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    postman.turn()
    (one,) = postman.deliveries(made["id"])
    (attempt,) = postman.attempts(made["id"])
    assert one.next_attempt_at is not None
    assert 890 < (one.next_attempt_at - attempt.begun_at).total_seconds() < 910


@pytest.mark.parametrize(("status", "code"), [(302, "REDIRECT_NOT_FOLLOWED"), (404, "RECEIVER_REFUSED")])
def test_what_is_not_a_2xx_has_failed(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman, status: int, code: str
) -> None:
    receiver.answer = lambda _, nth: (status, {"Location": "http://127.0.0.1:1/"}, b"")
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    assert postman.turn() == {"attempts": 1, "succeeded": 0}
    (one,) = postman.deliveries(made["id"])
    assert (one.status, one.last_status, one.last_code) == ("retrying", status, code)


def test_a_receiver_that_is_gone_turns_its_webhook_off_and_its_owner_is_told(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    receiver.answers(410)
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    postman.deliver()
    shown = data_of(client.get(f"{API}/webhooks/{made['id']}", headers=alice.headers))
    assert (shown["state"], shown["is_active"]) == ("disabled", False)
    assert "410" in shown["state_reason"]
    with postman.database.transaction() as session:
        (mail,) = session.scalars(select(AccountMail).where(AccountMail.kind == "webhook_disabled"))
        (event,) = session.scalars(select(EventRecord).where(EventRecord.type == "webhook.disabled"))
    assert mail.address == "alice@example.com"
    assert event.data["webhook_id"] == made["id"]
    postman.announce(created(alice, "later"))
    assert postman.turn()["attempts"] == 0
    assert len(postman.deliveries(made["id"])) == 1
    data_of(client.post(f"{API}/webhooks/{made['id']}/activate", headers=alice.headers))
    postman.deliver()
    assert [one.status for one in postman.deliveries(made["id"])] == ["succeeded"]


def test_of_a_webhook_whose_maker_has_left_the_owner_of_the_organization_is_told(
    app: Flask, client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    join(database, bob, alice.organization_id, "admin")
    make_webhook(client, bob, receiver.url, organization_id=str(alice.organization_id))
    with database.transaction() as session:
        left = (Membership.user_id == bob.user.id) & (Membership.organization_id == alice.organization_id)
        session.execute(delete(Membership).where(left))
    receiver.answers(410)
    postman.announce(created(alice))
    postman.deliver()
    with database.transaction() as session:
        told = session.scalars(select(AccountMail.address).where(AccountMail.kind == "webhook_disabled")).all()
    assert told == ["alice@example.com"]


def test_five_days_of_failure_turn_a_webhook_off(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    receiver.answers(*[500] * 9)
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    postman.turn()
    assert postman.webhook(made["id"]).state == "active"
    postman.age(made["id"], FIVE_DAYS)
    postman.turn()
    found = postman.webhook(made["id"])
    assert found.state == "disabled"
    assert "has taken nothing since" in str(found.state_reason)


def test_who_fails_again_and_again_is_tried_seldom_and_gets_all_once_it_is_well(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    receiver.answer = lambda _, nth: (500, {}, b"")
    made = make_webhook(client, alice, receiver.url, concurrency=2)
    postman.announce(*[created(alice, f"w{nth}") for nth in range(6)])
    postman.deliver()
    tried = len(receiver.got)
    assert 10 <= tried <= 14
    assert postman.webhook(made["id"]).state == "suspended"
    assert postman.turn()["attempts"] == 0
    receiver.answer = lambda _, nth: (200, {}, b"")
    postman.age(made["id"], timedelta(seconds=60))
    postman.deliver()
    assert Counter(one.status for one in postman.deliveries(made["id"])) == {"succeeded": 6}
    assert (postman.webhook(made["id"]).state, postman.health(made["id"]).failures) == ("active", 0)
