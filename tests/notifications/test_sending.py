"""Sending: a mail reaches who it is for, once, by the first provider that takes it, and each reason is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.notifications.models import EmailProvider
from tasks.tools import Tools
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox, smtp_server
from tests.support.notifications import API, MAIL, hurry, provider, read, send, set_providers
from tests.support.work import drain


def test_a_mail_is_sent_and_every_attempt_is_kept(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox, default_from_name="The Shop"))
    sent = send(client, alice, reply_to="help@shop.example")
    assert sent["status"] == "pending"
    drain(database, tools)
    (mail,) = inbox.mails
    assert (mail["To"], mail["Subject"]) == ("ann@shop.example", "Your order")
    assert (mail["From"], mail["Reply-To"]) == ("The Shop <shop@shop.example>", "help@shop.example")
    assert {part.get_content_type() for part in mail.iter_parts()} == {"text/plain", "text/html"}
    told = read(client, alice, sent)
    assert (told["status"], told["recipient_counts"]) == ("sent", {"sent": 1})
    (attempt,) = told["delivery_attempts"]
    assert (attempt["status"], attempt["provider_name"]) == ("success", "default")
    assert attempt["provider_response"].startswith("250")
    assert attempt["response_time_ms"] > 0
    job = data_of(client.get(f"{API}/jobs/{sent['job_id']}", headers=alice.headers))
    assert (job["status"], job["result"]) == ("succeeded", {"recipients": {"sent": 1}})
    with database.transaction() as session:
        (event,) = session.scalars(select(EventRecord).where(EventRecord.type == "notification.sent"))
    assert event.data["reached"] == 1


def test_a_mail_that_is_put_off_is_tried_again_and_one_that_is_refused_is_not(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    inbox.answers += ["451 later", "550 never"]
    sent = send(client, alice, ["ann@shop.example", "bob@shop.example"])
    drain(database, tools)
    told = read(client, alice, sent)
    assert (told["status"], told["recipient_counts"]) == ("retrying", {"retrying": 1, "failed": 1})
    hurry(database)
    drain(database, tools)
    told = read(client, alice, sent)
    assert (told["status"], told["recipient_counts"]) == ("partial", {"sent": 1, "failed": 1})
    rows = data_of(client.get(f"{API}/notifications/{sent['id']}/recipients", headers=alice.headers))
    assert sorted((row["status"], row["code"], row["attempts"]) for row in rows) == [
        ("failed", "MAIL_REFUSED", 1),
        ("sent", None, 2),
    ]


def test_tries_end(client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database) -> None:
    set_providers(client, alice, provider(inbox))
    inbox.answers += ["451 later"] * 10
    sent = send(client, alice, max_retry_attempts=1)
    for _ in range(3):
        drain(database, tools)
        hurry(database)
    told = read(client, alice, sent)
    assert (told["status"], len(told["delivery_attempts"])) == ("failed", 2)
    again = client.post(f"{API}/notifications/{sent['id']}/retry", headers=alice.headers)
    data_of(again, 202)
    inbox.answers.clear()
    drain(database, tools)
    assert read(client, alice, sent)["status"] == "sent"


def test_when_one_provider_is_away_the_other_takes_the_mail(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    away = provider(inbox, "away")
    away["provider_config"] = {**away["provider_config"], "port": 1}
    set_providers(client, alice, away, provider(inbox, "spare", is_primary=False))
    sent = send(client, alice)
    drain(database, tools)
    told = read(client, alice, sent)
    assert told["status"] == "sent"
    assert [(one["provider_name"], one["status"]) for one in told["delivery_attempts"]] == [
        ("spare", "success"),
        ("away", "failed"),
    ]
    for _ in range(5):
        send(client, alice)
    drain(database, tools)
    with database.transaction() as session:
        opened = dict(session.execute(select(EmailProvider.name, EmailProvider.open_until)).all())
    assert opened["away"] is not None
    assert opened["spare"] is None
    last = send(client, alice)
    drain(database, tools)
    assert [one["provider_name"] for one in read(client, alice, last)["delivery_attempts"]] == ["spare"]


def test_a_login_over_tls_is_used_and_kept_secret(
    client: FlaskClient, alice: Person, tools: Tools, database: Database, tmp_path: Path
) -> None:
    config = {"provider_type": "smtp", "host": "127.0.0.1", "port": 2525, "username": "u", "password": "canary"}
    (shown,) = set_providers(
        client, alice, {"provider_config": config, "default_from_email": "shop@shop.example", "name": "p"}
    )
    assert "canary" not in str(shown)
    assert shown["config"]["security"] == "starttls"
    with database.transaction() as session:
        sealed = session.execute(select(EmailProvider.credentials)).scalar_one()
    assert b"canary" not in sealed
    refused = {**config, "security": "none"}
    body = {"providers": [{"provider_config": refused, "default_from_email": "shop@shop.example"}]}
    error_of(client.put(f"{API}/clients/email-providers", json=body, headers=alice.headers), 422)


def test_validating_really_connects(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    away = provider(inbox, "away")
    away["provider_config"] = {**away["provider_config"], "port": 1}
    set_providers(client, alice, provider(inbox), away)
    path = f"{API}/clients/email-providers/validate"
    job_id = data_of(client.post(path, json={}, headers=alice.headers), 202)["job_id"]
    drain(database, tools)
    result = data_of(client.get(f"{API}/jobs/{job_id}", headers=alice.headers))["result"]
    assert result["all_valid"] is False
    assert result["validation_results"]["default"]["valid"] is True
    assert result["validation_results"]["away"]["code"] == "PROVIDER_UNAVAILABLE"


def test_a_template_is_filled_when_it_is_asked_for(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    template = {"name": "order", "subject": "Order {{ number }}", "html": "<p>{{ name }}</p>"}
    made = data_of(client.post(f"{API}/templates", json=template, headers=alice.headers), 201)
    assert made["variables"] == ["name", "number"]
    path = f"{API}/templates/{made['id']}/preview"
    shown = data_of(client.post(path, json={"variables": {"name": "<b>", "number": 5}}, headers=alice.headers))
    assert shown == {"subject": "Order 5", "html": "<p>&lt;b&gt;</p>", "text": None}
    body = {"to_email": "ann@shop.example", "template_id": made["id"], "variables": {"number": 5}}
    missing = error_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 422)
    assert [fault["field"] for fault in missing["errors"]] == ["variables.name"]
    body["variables"] = {"number": 5, "name": "Ann"}
    data_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 202)
    drain(database, tools)
    assert inbox.mails[0]["Subject"] == "Order 5"


def test_one_click_unsubscribes_and_looking_does_not(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    send(client, alice, can_unsubscribe=True)
    drain(database, tools)
    mail = inbox.mails[0]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = mail["List-Unsubscribe"].strip("<>").partition("/api/v1")[2]
    page = client.get(f"{API}{path}")
    assert page.status_code == 200
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert data_of(client.get(f"{API}/suppressions", headers=alice.headers)) == []
    error_of(client.post(f"{API}{path[:-1]}{'0' if path[-1] != '0' else '1'}"), 404)
    assert client.post(f"{API}{path}").status_code == 200
    (left,) = data_of(client.get(f"{API}/suppressions", headers=alice.headers))
    assert (left["address"], left["reason"]) == ("ann@shop.example", "unsubscribed")
    sent = send(client, alice, ["Ann@shop.example", "bob@shop.example"])
    drain(database, tools)
    assert read(client, alice, sent)["recipient_counts"] == {"suppressed": 1, "sent": 1}
    assert client.delete(f"{API}/suppressions/{left['id']}", headers=alice.headers).status_code == 204


def test_what_is_cancelled_in_time_reaches_nobody(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice, scheduled_for="2100-01-01T00:00:00Z")
    assert sent["status"] == "scheduled"
    path = f"{API}/notifications/{sent['id']}/cancel"
    assert data_of(client.post(path, headers=alice.headers))["status"] == "cancelled"
    error_of(client.post(path, headers=alice.headers), 409)
    hurry(database)
    drain(database, tools)
    assert inbox.mails == []
    assert read(client, alice, sent)["recipient_counts"] == {"cancelled": 1}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to_email": "ann@shop.example\r\nBcc: eve@evil.example"}, "recipients.0"),
        ({"to_email": [f"u{nth}@shop.example" for nth in range(10_001)]}, "recipients"),
        ({"to_email": []}, "recipients"),
        ({"subject": "Hello\r\nBcc: eve@evil.example"}, "subject"),
        ({"from_name": "A\nB"}, "from_name"),
        ({"content": None}, "content"),
        ({"priority": "at once"}, "priority"),
        ({"max_retry_attempts": 11}, "max_retry_attempts"),
        ({"cc": ["x"]}, "cc.0"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    client: FlaskClient, alice: Person, inbox: Inbox, fields: dict[str, Any], field: str
) -> None:
    set_providers(client, alice, provider(inbox))
    body = {"to_email": "ann@shop.example", **MAIL, **fields}
    refused = error_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 422)
    assert refused["errors"][0]["field"] == field


def test_without_a_provider_nothing_is_promised(client: FlaskClient, alice: Person) -> None:
    body = {"to_email": "ann@shop.example", **MAIL}
    assert error_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 409)["code"] == (
        "INVALID_STATE"
    )


def test_nobody_else_sees_it(client: FlaskClient, alice: Person, charlie: Person, inbox: Inbox) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice)
    error_of(client.get(f"{API}/notifications/{sent['id']}", headers=charlie.headers), 404)
    assert data_of(client.get(f"{API}/notifications", headers=charlie.headers)) == []
    assert data_of(client.get(f"{API}/clients/email-providers", headers=charlie.headers)) == []


def test_numbers_tell_how_they_have_fared(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    inbox.answers += ["550 never"]
    send(client, alice, ["ann@shop.example", "bob@shop.example"])
    drain(database, tools)
    told = data_of(client.get(f"{API}/notifications/analytics", headers=alice.headers))
    assert (told["total_notifications"], told["by_status"]) == (1, {"partial": 1})
    assert told["by_channel"]["email"] == {"total": 2, "successful": 1, "failed": 1, "success_rate": 0.5}
    assert (told["by_provider"], told["by_reason"]) == ({"default": 1}, {"MAIL_REFUSED": 1})


def test_mails_go_over_tls_after_a_login(
    client: FlaskClient, alice: Person, tools: Tools, database: Database, tmp_path: Path
) -> None:
    """The certificate of the tests is signed by nobody the system trusts: the mail is not handed over."""
    (tmp_path / "tls").mkdir()
    with smtp_server(tmp_path / "tls") as secured:
        wanted = provider(secured)
        wanted["provider_config"] |= {"security": "starttls", "username": "headrace", "password": "x"}
        set_providers(client, alice, wanted)
        sent = send(client, alice)
        drain(database, tools)
    (attempt,) = read(client, alice, sent)["delivery_attempts"]
    assert attempt["error_code"] == "PROVIDER_UNAVAILABLE"
    assert "certificate" in attempt["provider_response"]
    assert secured.logins == []
