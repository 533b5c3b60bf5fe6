"""Files that mails carry: brought beforehand, sent with each mail, and kept as long as a notification carries them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.kernel.store import BlobStore
from app.notifications import MailAttachment, PruneNotifications
from app.notifications.attachments import MOST_BYTES
from app.notifications.models import Notification
from tasks.tools import Tools
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox
from tests.support.notifications import API, MAIL, provider, read, send, set_providers
from tests.support.work import drain

PDF = b"%PDF-1.7 " + bytes(range(256))


@pytest.fixture
def tools(tools: Tools, app: Any) -> Tools:
    """A worker's, with the store of the API."""
    return replace(tools, artifact_store=BlobStore(app.extensions["headrace"].artifact_store))


def bring(client: FlaskClient, person: Person, content: bytes = PDF, status: int = 200, **changed: Any) -> Any:
    said = {"id": str(new_id()), "filename": "invoice.pdf", "content_type": "application/pdf", **changed}
    path = f"{API}/notifications/attachments/{said.pop('id')}"
    headers = {**person.headers, "Content-Type": "application/octet-stream"}
    reply = client.put(path, query_string=said, data=content, headers=headers)
    return data_of(reply) if status == 200 else error_of(reply, status)


def test_each_mail_carries_the_files_it_names(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    files = [bring(client, alice), bring(client, alice, b"a,b", filename="liste.csv", content_type="text/csv")]
    sent = send(client, alice, ["ann@shop.example", "bob@shop.example"], attachments=[one["id"] for one in files])
    drain(database, tools)
    for mail in inbox.mails:
        parts = [
            (one.get_filename(), one.get_content_type(), one.get_payload(decode=True))
            for one in mail.iter_attachments()
        ]
        assert parts == [("invoice.pdf", "application/pdf", PDF), ("liste.csv", "text/csv", b"a,b")]
    assert len(inbox.mails) == 2
    told = read(client, alice, sent)["attachments"]
    assert [(one["filename"], one["size"]) for one in told] == [("invoice.pdf", len(PDF)), ("liste.csv", 3)]


def test_a_file_brought_again_is_the_same_one(client: FlaskClient, alice: Person, charlie: Person) -> None:
    first = bring(client, alice)
    assert bring(client, alice, b"other", id=first["id"]) == first
    assert bring(client, charlie, id=first["id"], status=409)["code"] == "RESOURCE_ALREADY_EXISTS"


@pytest.mark.parametrize(
    ("content", "changed", "field"),
    [
        (bytes(30 * 1024**2), {}, "body"),
        (PDF, {"filename": "../etc/passwd"}, "filename"),
        (PDF, {"filename": "a\r\nBcc: x"}, "filename"),
        (PDF, {"content_type": "multipart/mixed"}, "content_type"),
        (PDF, {"content_type": "text/plain\r\nX: y"}, "content_type"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    client: FlaskClient, alice: Person, content: bytes, changed: dict[str, Any], field: str
) -> None:
    assert bring(client, alice, content, 422, **changed)["errors"][0]["field"] == field


def test_a_mail_carries_what_its_sender_brought_and_not_too_much(
    client: FlaskClient, alice: Person, charlie: Person, inbox: Inbox
) -> None:
    set_providers(client, alice, provider(inbox))
    mine, foreign = bring(client, alice)["id"], bring(client, charlie)["id"]
    large = bring(client, alice, bytes(MOST_BYTES))["id"]
    hook = {"type": "webhook", "attachments": [mine]}
    for fields, field in (
        ({"attachments": [mine, foreign]}, "attachments.1"),
        ({"attachments": [str(new_id())]}, "attachments.0"),
        ({"attachments": ["x"]}, "attachments.0"),
        ({"attachments": [mine, large]}, "attachments"),
        ({"attachments": [mine] * 11}, "attachments"),
    ):
        body = {"to_email": "ann@shop.example", **MAIL, **fields}
        refused = error_of(client.post(f"{API}/notifications", json=body, headers=alice.headers), 422)
        assert refused["errors"][0]["field"] == field, fields
    refused = error_of(client.post(f"{API}/notifications", json={**MAIL, **hook}, headers=alice.headers), 422)
    assert refused["errors"][0]["field"] == "attachments"


def test_a_file_is_kept_as_long_as_a_notification_carries_it(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    carried, idle, fresh = (bring(client, alice)["id"] for _ in range(3))
    send(client, alice, attachments=[carried])
    with database.transaction() as session:
        old = update(MailAttachment).where(MailAttachment.id.in_([carried, idle]))
        session.execute(old.values(created_at=database_now() - timedelta(hours=26)))
    assert prune(database, tools) == {carried, fresh}
    drain(database, tools)
    assert len(inbox.mails) == 1
    with database.transaction() as session:
        session.execute(update(Notification).values(finished_at=database_now() - timedelta(days=91)))
    assert prune(database, tools) == {fresh}


def prune(database: Database, tools: Tools) -> set[str]:
    """Forget what is old; returns the files that are left, all of which are in the store."""
    with database.transaction() as session:
        jobs.accept(session, PruneNotifications())
    drain(database, tools)
    with database.transaction() as session:
        left = session.scalars(select(MailAttachment)).all()
    assert all(tools.artifact_store.read(one.key) == PDF for one in left)
    return {str(one.id) for one in left}
