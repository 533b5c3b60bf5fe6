"""How long notifications are kept, which of them are begun first, and what Prometheus reads of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.notifications import PruneNotifications
from app.notifications.models import Callback, Notification, Recipient, SendAttempt
from tasks.tools import Tools
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox
from tests.support.notifications import API, provider, read, send, set_providers, web_provider
from tests.support.work import drain


def prune(database: Database, tools: Tools) -> dict[str, int]:
    with database.transaction() as session:
        job_id = jobs.accept(session, PruneNotifications())
    drain(database, tools)
    with database.transaction() as session:
        result: dict[str, int] = session.get_one(Job, job_id).result
        return result


def age(database: Database, sent: dict[str, str], days: int) -> None:
    with database.transaction() as session:
        mine = update(Notification).where(Notification.id == UUID(sent["id"]))
        session.execute(mine.values(finished_at=database_now() - timedelta(days=days)))


def test_what_ended_long_ago_is_forgotten_with_all_that_is_known_of_it(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    old, new = send(client, alice), send(client, alice)
    drain(database, tools)
    waiting = send(client, alice, scheduled_for="2100-01-01T00:00:00Z")
    age(database, old, 91)
    age(database, new, 89)
    assert prune(database, tools) == {"notifications": 1, "callbacks": 0, "attachments": 0}
    error_of(client.get(f"{API}/notifications/{old['id']}", headers=alice.headers), 404)
    assert read(client, alice, new)["status"] == "sent"
    assert read(client, alice, waiting)["status"] == "scheduled"
    with database.transaction() as session:
        assert {str(one) for one in session.scalars(select(Recipient.notification_id))} == {new["id"], waiting["id"]}
        assert len(session.scalars(select(SendAttempt)).all()) == 1


def numbers(client: FlaskClient, alice: Person) -> dict[str, Any]:
    told: dict[str, Any] = data_of(client.get(f"{API}/notifications/analytics", headers=alice.headers))
    return {name: value for name, value in told.items() if not name.endswith("_date")}


def test_numbers_stay_and_tell_of_days_and_templates(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    body = {"name": "order", "subject": "Order", "text": "Thank you"}
    template = data_of(client.post(f"{API}/templates", json=body, headers=alice.headers), 201)["id"]
    inbox.answers += ["550 never"]
    sent = [send(client, alice, ["ann@shop.example", "bob@shop.example"]) for _ in range(3)]
    asked = {"to_email": "ann@shop.example", "template_id": template}
    sent.append(data_of(client.post(f"{API}/notifications", json=asked, headers=alice.headers), 202))
    drain(database, tools)
    before = numbers(client, alice)
    assert before["by_template"] == {template: {"total": 1, "successful": 1, "failed": 0, "success_rate": 1.0}}
    assert list(before["by_day"].values()) == [{"total": 7, "successful": 6, "failed": 1, "success_rate": 0.8571}]
    assert (before["by_status"], before["by_type"]) == ({"partial": 1, "sent": 3}, {"email": 4})
    for one in sent[:2]:
        age(database, one, 91)
    prune(database, tools)
    age(database, sent[2], 91)
    prune(database, tools)
    assert numbers(client, alice) == before


def test_requests_of_providers_are_forgotten_after_a_week(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    config = {"api_key": "k", "domain": "shop.example"}
    (shown,) = set_providers(client, alice, web_provider("mailgun", "https://api.mailgun.net", config=config))
    with database.transaction() as session:
        for days in (6, 8):
            moment = database_now() - timedelta(days=days)
            session.add(Callback(id=new_id(), provider_id=UUID(shown["id"]), token=str(days), received_at=moment))
    assert prune(database, tools)["callbacks"] == 1
    with database.transaction() as session:
        assert session.scalars(select(Callback.token)).all() == ["6"]


@pytest.mark.parametrize(("priority", "number"), [("low", 8), ("normal", 5), ("high", 4), ("urgent", 3)])
def test_the_most_urgent_are_begun_first(
    client: FlaskClient, alice: Person, inbox: Inbox, database: Database, priority: str, number: int
) -> None:
    set_providers(client, alice, provider(inbox))
    sent = send(client, alice, priority=priority)
    with database.transaction() as session:
        assert session.get_one(Job, UUID(sent["job_id"])).priority == number


def test_prometheus_reads_for_how_long_somebody_waits(
    client: FlaskClient, alice: Person, inbox: Inbox, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    send(client, alice, scheduled_for="2100-01-01T00:00:00Z")
    assert "headrace_notification_recipients_due 0.0" in client.get("/metrics").text
    sent = send(client, alice)
    with database.transaction() as session:
        mine = update(Notification).where(Notification.id == UUID(sent["id"]))
        session.execute(mine.values(created_at=database_now() - timedelta(seconds=90)))
    told = client.get("/metrics").text
    assert "headrace_notification_recipients_due 1.0" in told
    (late,) = [line for line in told.splitlines() if line.startswith("headrace_notifications_late_seconds ")]
    assert 90 <= float(late.split()[1]) < 900
    assert data_of(client.get(f"{API}/notifications/{sent['id']}", headers=alice.headers))["status"] == "pending"
