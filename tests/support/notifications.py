"""Notifications, made as clients make them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.notifications import unsubscribe_link
from app.notifications.models import Recipient
from tests.support.identity import data_of
from tests.support.mail import Inbox

API = "/api/v1"
MAIL = {"subject": "Your order", "content": "<p>Dear Ann</p>", "text": "Dear Ann"}
SERVER = {
    "provider_config": {"provider_type": "smtp", "host": "mail.example.com", "password": "canary-of-the-world"},
    "default_from_email": "shop@shop.example",
}


def provider(inbox: Inbox, name: str = "default", **fields: Any) -> dict[str, Any]:
    """What names a mail server of this machine as a provider."""
    config = {"provider_type": "smtp", "host": "127.0.0.1", "port": inbox.port, "security": "none"}
    return _provider(config, name, fields)


def web_provider(
    kind: str, url: str, name: str = "default", *, config: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """What names a provider that speaks HTTP, on this machine."""
    return _provider({"provider_type": kind, "base_url": url, **config}, name, fields)


def _provider(config: dict[str, Any], name: str, fields: dict[str, Any]) -> dict[str, Any]:
    said = {"name": name, "default_from_email": "shop@shop.example", "rate_limit_per_second": 1000}
    return {"provider_config": config, **said, **fields}


def set_providers(client: FlaskClient, person: Any, *wanted: dict[str, Any]) -> Any:
    """Let somebody send by these."""
    path = f"{API}/clients/email-providers"
    return data_of(client.put(path, json={"providers": list(wanted)}, headers=person.headers))


def send(client: FlaskClient, person: Any, to: Any = "ann@shop.example", **fields: Any) -> dict[str, Any]:
    """Ask that a mail be sent."""
    body = {"to_email": to, **MAIL, **fields}
    sent: dict[str, Any] = data_of(client.post(f"{API}/notifications", json=body, headers=person.headers), 202)
    return sent


def read(client: FlaskClient, person: Any, sent: dict[str, Any]) -> dict[str, Any]:
    """Return how a notification fares."""
    found: dict[str, Any] = data_of(client.get(f"{API}/notifications/{sent['id']}", headers=person.headers))
    return found


def recipients(client: FlaskClient, person: Any, sent: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    """Return how its recipients fare."""
    path = f"{API}/notifications/{sent['id']}/recipients{query}"
    found: list[dict[str, Any]] = data_of(client.get(path, headers=person.headers))
    return found


def hurry(database: Database) -> None:
    """Let all that waits be due."""
    with database.transaction() as session:
        session.execute(update(Recipient).values(next_attempt_at=None))
        session.execute(update(Job).where(Job.status == "queued").values(scheduled_for=database_now()))


def make_notification(app: Flask, client: FlaskClient, person: Any) -> dict[str, str]:
    """Let somebody have one of each; returns their ids by the names of path parameters."""
    (server,) = set_providers(client, person, SERVER)
    template = {"name": "world", "subject": "Order {{ number }}", "text": "Thank you"}
    made = data_of(client.post(f"{API}/templates", json=template, headers=person.headers), 201)
    left = {"address": "eve@shop.example"}
    suppressed = data_of(client.post(f"{API}/suppressions", json=left, headers=person.headers), 201)
    sent = send(client, person, scheduled_for="2100-01-01T00:00:00Z")
    (recipient,) = recipients(client, person, sent)
    link = unsubscribe_link(app.extensions["headrace"].vault, "", UUID(recipient["id"]))
    return {
        "notification_id": sent["id"],
        "provider_id": server["id"],
        "file_id": str(new_id()),
        "template_id": made["id"],
        "suppression_id": suppressed["id"],
        "recipient_id": recipient["id"],
        "mark": link.rpartition("/")[2],
    }
