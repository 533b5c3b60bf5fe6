"""Notifications within applications: users hear them on a topic of their own; who is not connected finds them there,
and gets a mail where that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.db import Database
from app.kernel.ids import new_id
from app.kernel.opening import open_redis
from app.kernel.presence import Listeners, RedisPresence
from app.kernel.stream import StreamEvent
from app.notifications import in_app, service
from config.settings import Settings
from tasks.tools import Tools
from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox
from tests.support.notifications import API, provider, read, recipients, set_providers
from tests.support.rooms import make_room
from tests.support.work import drain

Connect = Callable[[Holder], None]


@pytest.fixture
def shop(client: FlaskClient) -> Holder:
    return make_client(client)


@pytest.fixture
def ann(client: FlaskClient, shop: Holder) -> Holder:
    return make_user(client, shop, "ann")


@pytest.fixture
def bob(client: FlaskClient, shop: Holder) -> Holder:
    return make_user(client, shop, "bob")


@pytest.fixture
def connect(settings: Settings) -> Iterator[Connect]:
    """Lets a user be connected, as a stream process says so, until the test's end."""
    came: list[tuple[str, str]] = []

    async def act(verb: str, one: tuple[str, str]) -> None:
        presence = RedisPresence.open(settings.redis_url, "tests")
        await getattr(presence, verb)(*one)
        await presence.close()

    def enter(user: Holder) -> None:
        came.append((f"user:{user.id}", user.id))
        asyncio.run(act("enter", came[-1]))

    yield enter
    for one in came:
        asyncio.run(act("leave", one))


def tell(client: FlaskClient, shop: Holder, status: int = 202, **fields: Any) -> Any:
    body = {"type": "websocket", "subject": "Parcel", "content": "<p>It is <b>there</b></p>", **fields}
    reply = client.post(f"{API}/notifications", json=body, headers=shop.headers)
    return data_of(reply, status) if status < 300 else error_of(reply, status)


def heard_by(database: Database, user: Holder) -> list[StreamEvent]:
    with database.transaction() as session:
        return list(session.scalars(select(StreamEvent).where(StreamEvent.topic == f"user:{user.id}")))


def test_users_hear_it_on_their_own_topic_and_who_was_away_finds_it_there(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, connect: Connect, tools: Tools, database: Database
) -> None:
    connect(ann)
    sent = tell(client, shop, recipients=[ann.id, bob.id, ann.id], priority="high", meta={"order": 17})
    drain(database, tools)
    for user in (ann, bob):
        (event,) = heard_by(database, user)
        assert event.type == "notification"
        assert event.data["content"] == "<p>It is <b>there</b></p>"
        assert (event.data["notification_id"], event.data["meta"]) == (sent["id"], {"order": 17})
    told = {one["address"]: (one["status"], one["code"]) for one in recipients(client, shop, sent)}
    assert told == {ann.id: ("sent", None), bob.id: ("sent", "OFFLINE")}
    whole = read(client, shop, sent)
    assert (whole["status"], whole["fallback_used"], whole["recipient_count"]) == ("sent", False, 2)
    assert {one["provider_name"] for one in whole["delivery_attempts"]} == {"websocket"}


def test_who_is_not_connected_gets_a_mail_instead(
    client: FlaskClient,
    shop: Holder,
    ann: Holder,
    bob: Holder,
    connect: Connect,
    inbox: Inbox,
    tools: Tools,
    database: Database,
) -> None:
    connect(ann)
    set_providers(client, shop, provider(inbox))
    sent = tell(client, shop, recipients=[ann.id, bob.id], email_fallback=True)
    drain(database, tools)
    (mail,) = inbox.mails
    assert (mail["To"], mail["Subject"]) == (bob.said["email"], "Parcel")
    told = {one["address"]: (one["status"], one["email"]) for one in recipients(client, shop, sent)}
    assert told == {ann.id: ("sent", None), bob.id: ("sent", bob.said["email"])}
    assert read(client, shop, sent)["fallback_used"] is True
    assert len(heard_by(database, bob)) == 1
    numbers = data_of(client.get(f"{API}/notifications/analytics", headers=shop.headers))
    assert numbers["fallback_usage"] == 1
    assert numbers["by_channel"]["websocket"] == {"total": 2, "successful": 2, "failed": 0, "success_rate": 1.0}


def test_the_mail_may_say_something_else_to_somebody_else(
    client: FlaskClient, shop: Holder, ann: Holder, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, shop, provider(inbox))
    fallback = {"enabled": True, "to_email": "desk@shop.example", "subject": "Away", "content": "<p>Call</p>"}
    tell(client, shop, recipients=[ann.id], email_fallback=fallback)
    tell(client, shop, recipients=[ann.id], email_fallback={"enabled": False})
    drain(database, tools)
    (mail,) = inbox.mails
    assert (mail["To"], mail["Subject"]) == ("desk@shop.example", "Away")
    assert mail.get_content().strip() == "<p>Call</p>"


def test_one_address_gets_one_mail_however_many_are_away(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, shop, provider(inbox))
    sent = tell(client, shop, recipients=[ann.id, bob.id], email_fallback={"to_email": "desk@shop.example"})
    drain(database, tools)
    assert [mail["To"] for mail in inbox.mails] == ["desk@shop.example"]
    told = recipients(client, shop, sent)
    assert sorted(str(one["email"]) for one in told) == ["None", "desk@shop.example"]
    assert {one["status"] for one in told} == {"sent"}
    assert len(heard_by(database, ann)) == len(heard_by(database, bob)) == 1


def test_who_was_told_by_a_worker_that_was_thought_dead_is_not_told_again(
    client: FlaskClient, shop: Holder, ann: Holder, database: Database
) -> None:
    sent = tell(client, shop, recipients=[ann.id])
    (one,) = recipients(client, shop, sent)
    for _ in range(2):
        with database.transaction() as session:
            in_app.tell(session, UUID(sent["id"]), [UUID(one["id"])], set())
    assert len(heard_by(database, ann)) == 1
    assert read(client, shop, sent)["recipient_counts"] == {"sent": 1}


def test_who_got_the_mail_instead_unsubscribes_from_mails(
    client: FlaskClient, shop: Holder, ann: Holder, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, shop, provider(inbox))
    tell(client, shop, recipients=[ann.id], email_fallback=True, can_unsubscribe=True)
    drain(database, tools)
    path = inbox.mails[0]["List-Unsubscribe"].strip("<>").partition(API)[2]
    assert client.post(f"{API}{path}").status_code == 200
    (left,) = data_of(client.get(f"{API}/suppressions", headers=shop.headers))
    assert (left["address"], left["reason"]) == (ann.said["email"], "unsubscribed")


def test_without_redis_everybody_counts_as_away(
    client: FlaskClient, shop: Holder, ann: Holder, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, shop, provider(inbox))
    tell(client, shop, recipients=[ann.id], email_fallback=True)
    drain(database, replace(tools, listeners=Listeners(open_redis("redis://127.0.0.1:1/0"))))
    assert [mail["To"] for mail in inbox.mails] == [ann.said["email"]]


def test_all_who_are_in_a_room_are_told(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, tools: Tools, database: Database
) -> None:
    room = make_room(client, shop, ann, bob)
    sent = tell(client, shop, room_id=room)
    drain(database, tools)
    assert sorted(one["address"] for one in recipients(client, shop, sent)) == sorted([ann.id, bob.id])
    assert heard_by(database, bob)[0].data["room_id"] == room
    tell(client, shop, recipients=[ann.id])
    (found,) = data_of(client.get(f"{API}/notifications?room_id={room}", headers=shop.headers))
    assert found["id"] == sent["id"]


def test_what_is_long_is_told_to_few(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_COPIED", 1000)
    said = {"content": "x" * 300, "text": "x" * 300}
    refused = tell(client, shop, 422, recipients=[ann.id, bob.id], **said)
    assert refused["errors"] == [
        {"field": "content", "message": "2 are told at most 500 characters each, `meta` among them."}
    ]
    tell(client, shop, recipients=[ann.id], **said)


def test_what_cannot_be_told_is_refused_by_its_name(
    client: FlaskClient, shop: Holder, ann: Holder, alice: Person
) -> None:
    other = make_client(client, "Other")
    stranger = make_user(client, other)
    for fields, field in (
        ({"recipients": [ann.id, stranger.id, str(alice.user.id)]}, "recipients.1"),
        ({"recipients": ["ann@shop.example"]}, "recipients.0"),
        ({}, "recipients"),
        ({"recipients": [ann.id], "room_id": str(new_id())}, "recipients"),
        ({"recipients": [ann.id], "cc": ["x@shop.example"]}, "cc"),
        ({"recipients": [ann.id], "email_fallback": "yes"}, "email_fallback"),
        ({"recipients": [ann.id], "email_fallback": {"to_email": "x\r\ny"}}, "email_fallback.to_email"),
        ({"type": "email", "to_email": "ann@shop.example", "email_fallback": True}, "email_fallback"),
        ({"type": "email", "to_email": "ann@shop.example", "room_id": str(new_id())}, "room_id"),
    ):
        refused = tell(client, shop, 422, **fields)
        assert refused["errors"][0]["field"] == field, fields
    assert tell(client, shop, 404, room_id=make_room(client, other, stranger))["details"]["resource_type"] == "room"
    assert tell(client, shop, 409, recipients=[ann.id], email_fallback=True)["code"] == "INVALID_STATE"
