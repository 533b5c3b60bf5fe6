"""What is asked of notifications: refused by the field's name, cancelled, tried again, deleted; who is left alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.jobs import Job, cancel
from app.kernel.db import Database
from app.notifications.models import Recipient
from tasks.tools import Tools
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox
from tests.support.notifications import API, MAIL, provider, read, recipients, send, set_providers
from tests.support.work import drain


def test_ten_thousand_recipients_are_one_job(
    client: FlaskClient, alice: Person, inbox: Inbox, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice, [f"u{nth}@shop.example" for nth in range(10_000)])
    assert sent["recipient_count"] == 10_000
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Recipient)) == 10_000
        assert session.scalar(select(func.count()).where(Job.resource_id == UUID(sent["id"]))) == 1


def test_a_filled_subject_is_one_line(client: FlaskClient, alice: Person, inbox: Inbox) -> None:
    set_providers(client, alice, provider(inbox))
    template = {"name": "order", "subject": "Order {{ name }}", "text": "Dear {{ name }}"}
    made = data_of(client.post(f"{API}/templates", json=template, headers=alice.headers), 201)
    for name in ("x\r\nBcc: eve@evil.example", "x\x1b", "y" * 300):
        body = {"to_email": "ann@shop.example", "template_id": made["id"], "variables": {"name": name}}
        refused = error_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 422)
        assert [fault["field"] for fault in refused["errors"]] == ["subject"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to_email": ["ann@shop.example", "bob@shop.example"], "cc": ["carol@shop.example"]}, "cc"),
        ({"to_email": ["ann@shop.example", "bob@shop.example"], "bcc": ["carol@shop.example"]}, "bcc"),
        ({"type": "pigeon"}, "type"),
        ({"attachments": [{"filename": "x"}]}, "attachments.0"),
        ({"reply_to": "help@shop.example\nX: y"}, "reply_to"),
        ({"template_id": "0198c000-0000-7000-8000-000000000000"}, "template_id"),
        ({"meta": {str(nth): nth for nth in range(300)}}, "meta"),
        ({"scheduled_for": "tomorrow"}, "scheduled_for"),
        ({"content": "x" * 200_001}, "content"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    client: FlaskClient, alice: Person, fields: dict[str, Any], field: str
) -> None:
    body = {"to_email": "ann@shop.example", **MAIL, **fields}
    refused = error_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 422)
    assert refused["errors"][0]["field"] == field


def test_a_template_that_reaches_out_is_refused_by_its_field(client: FlaskClient, alice: Person) -> None:
    for part in ("subject", "html", "text"):
        body = {"name": "evil", "subject": "Order", "text": "Hello", part: "{{ ''.__class__.__mro__ }}{{ x() }}"}
        refused = error_of(client.post(f"{API}/templates", json=body, headers=alice.headers), 422)
        assert [fault["field"] for fault in refused["errors"]] == [part]


def test_a_template_is_changed_and_has_a_name_of_its_own(client: FlaskClient, alice: Person, charlie: Person) -> None:
    body = {"name": "order", "subject": "Order {{ number }}", "text": "Hello"}
    made = data_of(client.post(f"{API}/templates", json=body, headers=alice.headers), 201)
    taken = error_of(client.post(f"{API}/templates", json=body, headers=alice.headers), 409)
    assert taken["code"] == "RESOURCE_ALREADY_EXISTS"
    data_of(client.post(f"{API}/templates", json=body, headers=charlie.headers), 201)
    path = f"{API}/templates/{made['id']}"
    changed = data_of(client.patch(path, json={"text": "Hello {{ name }}"}, headers=alice.headers))
    assert changed["variables"] == ["name", "number"]
    error_of(client.patch(path, json={"text": None}, headers=alice.headers), 422)
    error_of(client.get(path, headers=charlie.headers), 404)
    assert client.delete(path, headers=alice.headers).status_code == 204
    error_of(client.get(path, headers=alice.headers), 404)


def test_who_is_suppressed_gets_no_copy_either(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    left = {"address": "Carol@shop.example"}
    shown = data_of(client.post(f"{API}/suppressions", json=left, headers=alice.headers), 201)
    assert (shown["address"], shown["reason"]) == ("carol@shop.example", "manual")
    again = error_of(client.post(f"{API}/suppressions", json=left, headers=alice.headers), 409)
    assert again["code"] == "RESOURCE_ALREADY_EXISTS"
    send(client, alice, cc=["carol@shop.example", "dan@shop.example"])
    refused = send(client, alice, "CAROL@shop.example")
    drain(database, tools)
    assert inbox.recipients == [["ann@shop.example", "dan@shop.example"]]
    (told,) = recipients(client, alice, refused)
    assert (told["status"], told["code"]) == ("suppressed", "SUPPRESSED")
    assert "manual" in told["reason"]
    assert read(client, alice, refused)["status"] == "failed"


def test_one_person_s_suppressions_are_nobody_else_s(
    client: FlaskClient, alice: Person, charlie: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    data_of(client.post(f"{API}/suppressions", json={"address": "ann@shop.example"}, headers=charlie.headers), 201)
    send(client, alice)
    drain(database, tools)
    assert len(inbox.mails) == 1
    assert data_of(client.get(f"{API}/suppressions", headers=alice.headers)) == []


def test_a_mail_program_s_own_click_unsubscribes(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    send(client, alice, can_unsubscribe=True)
    drain(database, tools)
    path = inbox.mails[0]["List-Unsubscribe"].strip("<>").partition("/api/v1")[2]
    reply = client.post(f"{API}{path}", data={"List-Unsubscribe": "One-Click"})
    assert reply.status_code == 200
    assert client.post(f"{API}{path}", data={"List-Unsubscribe": "One-Click"}).status_code == 200
    (left,) = data_of(client.get(f"{API}/suppressions?address=ANN@shop.example", headers=alice.headers))
    assert left["reason"] == "unsubscribed"


def test_the_job_that_is_cancelled_or_retried_takes_its_notification_along(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice, scheduled_for="2100-01-01T00:00:00Z")
    job_path = f"{API}/jobs/{sent['job_id']}"
    data_of(client.post(f"{job_path}/cancel", headers=alice.headers), 202)
    assert read(client, alice, sent)["status"] == "cancelled"
    (told,) = recipients(client, alice, sent)
    assert (told["status"], told["code"]) == ("cancelled", "CANCELLED")
    data_of(client.post(f"{job_path}/retry", headers=alice.headers), 202)
    assert read(client, alice, sent)["status"] == "pending"
    drain(database, tools)
    assert read(client, alice, sent)["status"] == "sent"
    refused = error_of(client.post(f"{API}/notifications/{sent['id']}/retry", headers=alice.headers), 409)
    assert refused["code"] == "INVALID_STATE"


def test_what_is_cancelled_on_its_way_reaches_no_more(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn ends after the first batch; before the next one somebody cancels."""
    monkeypatch.setattr("tasks.notifications.mailing.AT_ONCE", 1)
    monkeypatch.setattr("tasks.notifications.mailing.TURN_SECONDS", 0.0001)
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice, ["ann@shop.example", "bob@shop.example"])
    with pytest.raises(AssertionError, match="still jobs"):
        drain(database, tools, most=1)
    assert read(client, alice, sent)["status"] == "processing"
    with database.transaction() as session:
        cancel(session, session.get_one(Job, UUID(sent["job_id"])))
    told = read(client, alice, sent)
    assert (told["status"], told["recipient_counts"]) == ("cancelled", {"sent": 1, "cancelled": 1})
    assert len(inbox.mails) == 1


def test_only_what_has_ended_is_deleted(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice)
    path = f"{API}/notifications/{sent['id']}"
    error_of(client.delete(path, headers=alice.headers), 409)
    drain(database, tools)
    assert client.delete(path, headers=alice.headers).status_code == 204
    error_of(client.get(path, headers=alice.headers), 404)


def test_a_list_is_narrowed(client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database) -> None:
    set_providers(client, alice, provider(inbox))
    first, second = send(client, alice, "Ann@shop.example"), send(client, alice, "bob@shop.example")
    drain(database, tools)

    def ids(query: str) -> list[str]:
        found = data_of(client.get(f"{API}/notifications?{query}", headers=alice.headers))
        return [one["id"] for one in found]

    assert ids("recipient=ann@SHOP.example") == [first["id"]]
    assert ids("status=sent") == [second["id"], first["id"]]
    assert ids("status=failed") == ids("end_date=2020-01-01") == []
    assert ids(f"created_after={second['created_at']}") == [second["id"]]
    assert ids(f"created_before={second['created_at']}") == [first["id"]]
    error_of(client.get(f"{API}/notifications?status=eaten", headers=alice.headers), 422)
