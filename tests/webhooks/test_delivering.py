"""Deliveries: an event reaches who listens, signed, once for each attempt that is kept."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from standardwebhooks import WebhookVerificationError

from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.kernel.ids import new_id
from app.webhooks import Answer, record, take_due
from app.webhooks.catalogue import find_type
from app.webhooks.models import Delivery
from tests.conftest import SECRET
from tests.support.clients import make_client
from tests.support.identity import Person, data_of
from tests.support.receivers import Receiver
from tests.support.webhooks import API, QUICK, Postman, created, make_webhook


def page(client: FlaskClient, person: Any, made: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = data_of(
        client.get(f"{API}/webhooks/{made['id']}/deliveries{query}", headers=person.headers)
    )
    return rows


def detail(client: FlaskClient, person: Any, made: dict[str, Any], delivery_id: str) -> dict[str, Any]:
    path = f"{API}/webhooks/{made['id']}/deliveries/{delivery_id}"
    found: dict[str, Any] = data_of(client.get(path, headers=person.headers))
    return found


def test_an_event_is_delivered_signed_and_logged(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url, custom_headers={"X-Shop": "north"})
    postman.announce(created(alice))
    assert postman.deliver() == {"attempts": 1, "succeeded": 1}
    (got,) = receiver.got
    told = got.verified(made["secret"])
    assert told["type"] == "workspace.created"
    assert told["data"]["name"] == "shop"
    assert told["id"] == got.headers["webhook-id"]
    assert (got.path, got.headers["x-shop"]) == ("/hook", "north")
    known = find_type("workspace.created")
    assert known is not None
    jsonschema.validate(told, known.schema)
    (row,) = page(client, alice, made)
    assert (row["status"], row["attempts"], row["last_status"]) == ("succeeded", 1, 200)
    whole = detail(client, alice, made, row["id"])
    assert whole["body"] == got.body.decode()
    (attempt,) = whole["attempt_log"]
    assert (attempt["outcome"], attempt["status_code"], attempt["response_body"]) == ("succeeded", 200, "thanks")
    assert attempt["request_headers"]["webhook-signature"] == got.headers["webhook-signature"]
    assert attempt["request_headers"]["X-Shop"] == "…"
    assert attempt["milliseconds"] > 0


def test_another_secret_does_not_verify(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    make_webhook(client, alice, receiver.url)
    other = make_webhook(client, alice, receiver.url, events=["cluster.*"])
    postman.announce(created(alice))
    postman.deliver()
    with pytest.raises(WebhookVerificationError):
        receiver.got[0].verified(other["secret"])


def test_only_those_who_listen_are_told(
    client: FlaskClient, alice: Person, charlie: Person, receiver: Receiver, postman: Postman
) -> None:
    here, there = new_id(), new_id()
    wanted = {
        "all": make_webhook(client, alice, receiver.url, events=["*"]),
        "exact": make_webhook(client, alice, receiver.url, events=["workspace.created"]),
        "here": make_webhook(client, alice, receiver.url, resource_filters={"workspace_id": [str(here)]}),
    }
    make_webhook(client, alice, receiver.url, events=["cluster.created"])
    make_webhook(client, alice, receiver.url, is_active=False)
    make_webhook(client, charlie, receiver.url, events=["*"])
    postman.announce(created(alice, "here", here), created(alice, "there", there))
    postman.deliver()
    names = {
        name: sorted(
            got.json["data"]["name"]
            for got in receiver.got
            if any(one.event_id == UUID(got.json["id"]) for one in postman.deliveries(made["id"]))
        )
        for name, made in wanted.items()
    }
    assert len(receiver.got) == 5
    assert {name for name, some in names.items() if "here" in some} == {"all", "exact", "here"}
    assert [one.event_type for one in postman.deliveries(wanted["here"]["id"])] == ["workspace.created"]


def test_events_of_an_application_reach_its_webhooks_alone(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    shop, rival = make_client(client), make_client(client, "Rival")
    made = make_webhook(client, shop, receiver.url, events=["client.*"])
    assert (made["client_id"], made["organization_id"]) == (shop.id, None)
    make_webhook(client, rival, receiver.url, events=["*"])
    make_webhook(client, alice, receiver.url, events=["*"])
    data_of(client.patch(f"{API}/clients/me", json={"description": "new"}, headers=shop.headers))
    postman.dispatch()
    postman.deliver()
    (got,) = receiver.got
    told = got.verified(made["secret"])
    assert (told["type"], told["data"]) == ("client.updated", {"client_id": shop.id, "changed": ["description"]})


def test_no_more_requests_at_once_than_an_endpoint_wants(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    def slowly(_got: Any, _nth: int) -> Any:
        time.sleep(0.1)
        return 200, {}, b""

    receiver.answer = slowly
    make_webhook(client, alice, receiver.url, concurrency=3)
    postman.announce(*[created(alice, f"w{nth}") for nth in range(12)])
    assert postman.deliver()["succeeded"] == 12
    assert receiver.most_busy == 3


def test_an_attempt_whose_worker_was_lost_is_made_again_and_the_late_answer_moves_nothing(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman, database: Database
) -> None:
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    with database.transaction() as session:
        (lost,) = take_due(session, Vault(SECRET), 10, 60, suspects=False)
        assert take_due(session, Vault(SECRET), 10, 60, suspects=False) == []
    assert [one.outcome for one in postman.attempts(made["id"])] == [None]
    assert postman.turn()["attempts"] == 0
    postman.age(made["id"], timedelta(seconds=61))
    assert postman.deliver() == {"attempts": 1, "succeeded": 1}
    assert [one.outcome for one in postman.attempts(made["id"])] == ["lost", "succeeded"]
    with database.transaction() as session:
        late = Answer(lost.delivery_id, lost.attempt, lost.webhook_id, 5.0, status=500)
        assert record(session, [late], QUICK) == []
    assert [one.status for one in postman.deliveries(made["id"])] == ["succeeded"]
    assert [one.outcome for one in postman.attempts(made["id"])] == ["failed", "succeeded"]


def test_an_event_is_dispatched_to_a_webhook_once(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    with postman.database.transaction() as session:
        session.execute(update(EventRecord).values(dispatched_at=None))
    postman.dispatch()
    assert len(postman.deliveries(made["id"])) == 1


def test_a_deleted_webhook_is_sent_nothing_more(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    assert client.delete(f"{API}/webhooks/{made['id']}", headers=alice.headers).status_code == 204
    assert postman.turn()["attempts"] == 0
    with postman.database.transaction() as session:
        assert session.scalars(select(Delivery.id)).all() == []
