"""Many mails at once: each goes once, whatever becomes of connections and workers."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.jobs import HandedBack, Run
from app.kernel.db import Database
from app.notifications import next_recipients
from app.notifications.models import Recipient, SendAttempt
from tasks.tools import Tools
from tests.support.clients import make_client
from tests.support.identity import Person
from tests.support.mail import Inbox
from tests.support.notifications import provider, read, send, set_providers
from tests.support.work import drain


def test_many_recipients_are_one_job_and_each_address_gets_one_mail(
    client: FlaskClient, inbox: Inbox, tools: Tools, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.notifications.mailing.AT_ONCE", 3)
    shop = make_client(client)
    set_providers(client, shop, provider(inbox))
    many = [f"user{nth}@shop.example" for nth in range(10)]
    sent = send(client, shop, [*many, "USER1@shop.example"])
    assert drain(database, tools) == 1
    assert sorted(mail["To"].lower() for mail in inbox.mails) == sorted(many)
    assert read(client, shop, sent)["recipient_counts"] == {"sent": 10}


def test_mails_go_over_some_connections_and_over_more_where_a_server_ends_them(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    inbox.most = 3
    many = [f"user{nth}@shop.example" for nth in range(40)]
    sent = send(client, alice, many)
    drain(database, tools)
    assert sorted(mail["To"] for mail in inbox.mails) == sorted(many)
    assert 40 / 3 <= len(inbox.connections) <= 40
    with database.transaction() as session:
        attempts = session.scalars(select(SendAttempt)).all()
    assert [attempt.outcome for attempt in attempts] == ["success"] * 40
    assert read(client, alice, sent)["status"] == "sent"


def stop_early(patching: pytest.MonkeyPatch, inbox: Inbox, database: Database, tools: Tools) -> None:
    """Let a worker begin that must stop when the first mail has come."""

    def check(_: Run) -> None:
        if inbox.mails:
            raise HandedBack

    with patching.context() as patched:
        patched.setattr(Run, "check", check)
        with pytest.raises(AssertionError, match="still jobs"):
            drain(database, tools, most=1)


def test_what_is_on_its_way_when_a_worker_stops_is_kept(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_providers(client, alice, provider(inbox))
    many = [f"user{nth}@shop.example" for nth in range(20)]
    sent = send(client, alice, many)
    stop_early(monkeypatch, inbox, database, tools)
    with database.transaction() as session:
        ended = Counter((attempt.outcome, attempt.code) for attempt in session.scalars(select(SendAttempt)))
    before = len(inbox.mails)
    assert ended.pop(("success", None)) == before
    assert set(ended) <= {("failed", "STOPPED")}
    assert 0 < before < 20
    assert read(client, alice, sent)["recipient_counts"] == {"sent": before, "pending": 20 - before}
    drain(database, tools)
    assert sorted(mail["To"] for mail in inbox.mails) == sorted(many)


def test_what_has_ended_is_kept_when_who_is_next_cannot_be_looked_up(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_providers(client, alice, provider(inbox))
    many = [f"user{nth}@shop.example" for nth in range(6)]
    sent = send(client, alice, many)

    def look_up(*arguments: Any) -> list[Recipient]:
        if inbox.mails:
            raise HandedBack
        return next_recipients(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr("tasks.notifications.mailing.AT_ONCE", 2)
        patched.setattr("tasks.notifications.mailing.next_recipients", look_up)
        with pytest.raises(AssertionError, match="still jobs"):
            drain(database, tools, most=1)
    assert len(inbox.mails) == 2
    assert read(client, alice, sent)["recipient_counts"] == {"sent": 2, "pending": 4}
    drain(database, tools)
    assert sorted(mail["To"] for mail in inbox.mails) == sorted(many)


def test_a_mail_whose_turn_by_its_rate_had_not_come_when_a_worker_stops_counts_for_nothing(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_providers(client, alice, provider(inbox, rate_limit_per_second=1))
    sent = send(client, alice, ["ann@shop.example", "bob@shop.example"])
    stop_early(monkeypatch, inbox, database, tools)
    attempts = read(client, alice, sent)["delivery_attempts"]
    assert sorted((one["status"], one["error_code"]) for one in attempts) == [("failed", "STOPPED"), ("success", None)]
    drain(database, tools)
    assert read(client, alice, sent)["recipient_counts"] == {"sent": 2}
    assert len(inbox.mails) == 2


def test_a_mail_whose_worker_was_lost_is_sent_again_and_said_to_be_unknown(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice)
    with database.transaction() as session:
        mine = Recipient.notification_id == UUID(sent["id"])
        recipient = session.scalars(select(Recipient).where(mine)).one()
        recipient.status, recipient.attempt = "sending", 1
        session.add(SendAttempt(recipient_id=recipient.id, number=1, provider="default"))
    drain(database, tools)
    outcomes = [one["status"] for one in read(client, alice, sent)["delivery_attempts"]]
    assert sorted(outcomes) == ["success", "unknown"]
