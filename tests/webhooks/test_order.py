"""Order: at an ordered webhook events about one thing come one after the other, numbered, and the digest proves it."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from app import jobs
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.webhooks import MakeDigests, Patience
from app.webhooks.models import Delivery
from tests.support.identity import Person, data_of, error_of
from tests.support.receivers import Receiver
from tests.support.webhooks import API, Postman, changes, make_webhook

pytestmark = pytest.mark.slow

ORDERED = {"ordering": "per-subject"}


def numbers_taken(receiver: Receiver, refused: set[int]) -> dict[str, list[int]]:
    taken: dict[str, list[int]] = defaultdict(list)
    for nth, got in enumerate(receiver.got):
        if nth not in refused:
            taken[got.json["subject"]].append(got.json["sequence"])
    return taken


def test_events_about_one_thing_come_in_order_whatever_fails(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    chance = random.Random(7)
    refused: set[int] = set()

    def now_and_then(_got: Any, nth: int) -> Any:
        if chance.random() < 0.2:
            refused.add(nth)
        return (500 if nth in refused else 200), {}, b""

    receiver.answer = now_and_then
    make_webhook(client, alice, receiver.url, **ORDERED)
    things = [new_id() for _ in range(3)]
    events = [event for thing in things for event in changes(alice, thing, 8)]
    chance.shuffle(events)
    postman.announce(*events)
    postman.deliver()
    assert numbers_taken(receiver, refused) == {f"workspace:{thing}": list(range(1, 9)) for thing in things}
    assert refused


def test_what_waits_behind_another_is_not_due_and_other_things_are(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    stuck, free = new_id(), new_id()
    receiver.answer = lambda got, _: (500 if str(stuck) in got.json["subject"] else 200, {}, b"")
    made = make_webhook(client, alice, receiver.url, **ORDERED)
    postman.patient(Patience(timeout=30.0)).announce(*changes(alice, stuck, 3), *changes(alice, free, 3))
    postman.patient(Patience(timeout=30.0)).deliver()
    of_stuck = [one for one in postman.deliveries(made["id"]) if one.subject == f"workspace:{stuck}"]
    assert [one.status for one in of_stuck] == ["retrying", "pending", "pending"]
    assert [one.next_attempt_at is None for one in of_stuck] == [False, True, True]
    assert [got.json["sequence"] for got in receiver.got if str(free) in got.json["subject"]] == [1, 2, 3]
    path = f"{API}/webhooks/{made['id']}"
    refused = client.post(f"{path}/deliveries/{of_stuck[1].id}/retry", headers=alice.headers)
    assert error_of(refused, 409)["code"] == "INVALID_STATE"
    refused = client.patch(path, json={"ordering": "none"}, headers=alice.headers)
    assert error_of(refused, 409)["code"] == "INVALID_STATE"


def test_three_days_without_the_receiver_drain_in_order_with_nothing_lost(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    """Half a day passes between two looks; the platform's own schedule and patience."""
    postman = postman.patient(Patience(timeout=30.0))
    receiver.answer = lambda *_: (503, {}, b"")
    made = make_webhook(client, alice, receiver.url, **ORDERED)
    things = [new_id() for _ in range(4)]
    for _ in range(6):
        postman.announce(*[event for thing in things for event in changes(alice, thing, 3)])
        postman.deliver()
        postman.age(made["id"], timedelta(hours=12))
    assert postman.webhook(made["id"]).state in ("active", "suspended")
    before = len(receiver.got)
    receiver.answer = lambda *_: (200, {}, b"")
    postman.deliver()
    drained: dict[str, list[int]] = defaultdict(list)
    for got in receiver.got[before:]:
        drained[got.json["subject"]].append(got.json["sequence"])
    assert drained == {f"workspace:{thing}": list(range(1, 19)) for thing in things}
    assert {one.status for one in postman.deliveries(made["id"])} == {"succeeded"}


@pytest.mark.parametrize("days", [1, 3])
def test_the_digest_of_a_day_proves_that_nothing_is_missing(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman, database: Database, days: int
) -> None:
    """Also of a day on whose morrow nobody was there to tell of it."""
    made = make_webhook(client, alice, receiver.url, **ORDERED)
    make_webhook(client, alice, receiver.url, events=["cluster.*"])
    things = [new_id(), new_id()]
    postman.announce(*changes(alice, things[0], 3), *changes(alice, things[1], 1))
    postman.deliver()
    received = list(receiver.got)
    age_deliveries(database, days)
    for _ in range(2):
        tell_digests(database, postman)
    (digest,) = receiver.got[len(received) :]
    told = digest.verified(made["secret"])
    assert told["type"] == "webhook.digest"
    assert (told["data"]["page"], told["data"]["pages"]) == (1, 1)
    of_subject = {one["subject"]: one for one in told["data"]["subjects"]}
    for thing in things:
        mine = [got.json for got in received if got.json["subject"] == f"workspace:{thing}"]
        assert of_subject[f"workspace:{thing}"] == {
            "subject": f"workspace:{thing}",
            "first_sequence": 1,
            "last_sequence": len(mine),
            "count": len(mine),
            "sha256": hashlib.sha256("\n".join(one["id"] for one in mine).encode()).hexdigest(),
        }


def test_a_digest_is_tried_until_it_is_taken(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman, database: Database
) -> None:
    """An outage may last longer than the schedule of what has no number."""
    made = make_webhook(client, alice, receiver.url, **ORDERED)
    postman.announce(*changes(alice, new_id(), 1))
    postman.deliver()
    age_deliveries(database, 1)
    receiver.answers(*[503] * 9)
    tell_digests(database, postman)
    assert [got.json["type"] for got in receiver.got[1:]] == ["webhook.digest"] * 10
    assert {one.status for one in postman.deliveries(made["id"])} == {"succeeded"}


def age_deliveries(database: Database, days: int) -> None:
    with database.transaction() as session:
        session.execute(update(Delivery).values(created_at=Delivery.created_at - timedelta(days=days)))


def tell_digests(database: Database, postman: Postman) -> None:
    with database.transaction() as session:
        jobs.accept(session, MakeDigests())
    postman.work()
    postman.deliver()


def test_a_replay_keeps_numbers_and_order(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url, **ORDERED)
    postman.announce(*changes(alice, new_id(), 5))
    postman.deliver()
    since = {"since": "2020-01-01T00:00:00Z"}
    data_of(client.post(f"{API}/webhooks/{made['id']}/replay", json=since, headers=alice.headers), 202)
    postman.work()
    postman.deliver()
    assert [got.json["sequence"] for got in receiver.got] == [1, 2, 3, 4, 5] * 2
