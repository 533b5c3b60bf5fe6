"""Notifications to webhooks: delivered, signed and tried again as events are, and what their receivers say is kept."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.events import EventRecord
from tests.support.identity import Person, data_of, error_of
from tests.support.notifications import API, read, recipients
from tests.support.receivers import Receiver
from tests.support.webhooks import Postman, make_webhook
from tests.support.work import make_runtime

WANTS = ["notification.message"]


def tell(client: FlaskClient, person: Person, status: int = 202, **fields: Any) -> Any:
    body = {"type": "webhook", "subject": "Parcel", "text": "It is there", **fields}
    reply = client.post(f"{API}/notifications", json=body, headers=person.headers)
    return data_of(reply, status) if status < 300 else error_of(reply, status)


def work(postman: Postman, accepted: dict[str, Any]) -> None:
    """Do what was accepted; what is then due at once is delivered by who delivers."""
    make_runtime(postman.database, postman.tools).run_job(UUID(accepted["job_id"]))


def fates(client: FlaskClient, person: Person, sent: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["status"], one["code"]) for one in recipients(client, person, sent)]


def test_it_is_delivered_signed_and_its_receipt_is_kept(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    hook = make_webhook(client, alice, receiver.url)
    sent = tell(client, alice, recipients=[hook["id"], hook["id"]], priority="high", meta={"order": 17})
    work(postman, sent)
    assert fates(client, alice, sent) == [("sent", None)]
    assert read(client, alice, sent)["status"] == "sent"
    assert postman.deliver() == {"attempts": 1, "succeeded": 1}
    (got,) = receiver.got
    told = got.verified(hook["secret"])
    (recipient,) = recipients(client, alice, sent)
    assert (told["id"], told["type"]) == (recipient["id"], "notification.message")
    assert (told["data"]["title"], told["data"]["text"], told["data"]["meta"]) == (
        "Parcel",
        "It is there",
        {"order": 17},
    )
    assert (recipient["status"], recipient["provider"]) == ("delivered", "webhook")
    with postman.database.transaction() as session:
        (event,) = session.scalars(select(EventRecord).where(EventRecord.type == "notification.delivered"))
    assert event.data["address"] == hook["id"]
    numbers = data_of(client.get(f"{API}/notifications/analytics", headers=alice.headers))
    assert numbers["by_channel"]["webhook"] == {"total": 1, "successful": 1, "failed": 0, "success_rate": 1.0}


def test_where_none_is_named_those_get_it_that_want_it(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    assert tell(client, alice, 422)["errors"][0]["field"] == "recipients"
    wanting = [make_webhook(client, alice, receiver.url, events=some)["id"] for some in (WANTS, ["*"])]
    make_webhook(client, alice, receiver.url)
    sent = tell(client, alice)
    assert sorted(one["address"] for one in recipients(client, alice, sent)) == sorted(wanting)


def test_one_that_never_takes_it_is_told_and_it_may_still_arrive_by_hand(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    hook = make_webhook(client, alice, receiver.url)
    receiver.answers(*[500] * 8)
    sent = tell(client, alice, recipients=[hook["id"]])
    work(postman, sent)
    postman.deliver()
    (recipient,) = recipients(client, alice, sent)
    assert (recipient["status"], recipient["code"]) == ("bounced", "BOUNCED")
    assert "500" in recipient["reason"]
    numbers = data_of(client.get(f"{API}/notifications/analytics", headers=alice.headers))
    assert numbers["by_channel"]["webhook"]["failed"] == 1
    (delivery,) = postman.deliveries(hook["id"])
    path = f"{API}/webhooks/{hook['id']}/deliveries/{delivery.id}/retry"
    work(postman, data_of(client.post(path, headers=alice.headers), 202))
    assert fates(client, alice, sent) == [("delivered", None)]


def test_one_that_is_gone_by_then_is_told(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    hook, other = (make_webhook(client, alice, receiver.url) for _ in range(2))
    sent = tell(client, alice, recipients=[hook["id"], other["id"]])
    assert client.delete(f"{API}/webhooks/{hook['id']}", headers=alice.headers).status_code == 204
    work(postman, sent)
    assert sorted(fates(client, alice, sent), key=str) == [("failed", "WEBHOOK_UNAVAILABLE"), ("sent", None)]
    assert read(client, alice, sent)["status"] == "partial"


def test_what_makes_no_sense_is_refused_by_its_name(
    client: FlaskClient, alice: Person, charlie: Person, receiver: Receiver
) -> None:
    mine, off = (make_webhook(client, alice, receiver.url, **more)["id"] for more in ({}, {"is_active": False}))
    foreign = make_webhook(client, charlie, receiver.url)["id"]
    for fields, field in (
        ({"recipients": [mine, foreign]}, "recipients.1"),
        ({"recipients": [off]}, "recipients.0"),
        ({"recipients": ["https://evil.example/"]}, "recipients.0"),
        ({"recipients": [mine], "cc": ["x@shop.example"]}, "cc"),
        ({"recipients": [mine], "email_fallback": True}, "email_fallback"),
        ({"recipients": [mine], "room_id": mine}, "room_id"),
    ):
        assert tell(client, alice, 422, **fields)["errors"][0]["field"] == field, fields
