"""One order without a gap, whoever writes at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.factory import create_app
from app.kernel.db import Database
from app.messaging import room_events
from config.settings import Settings
from tests.support.clients import Holder, make_client, make_user
from tests.support.committing import committing_database
from tests.support.rooms import ALL, MESSAGES, listed, make_room, send

pytestmark = pytest.mark.slow

SENDERS = 6


@pytest.fixture
def database_of_many(settings: Settings) -> Iterator[Database]:
    with committing_database(settings) as database:
        yield database


@pytest.fixture
def busy(settings: Settings, hints: Any, database_of_many: Database) -> Flask:
    app = create_app(replace(settings, rate_limits=False), sender=hints, database=database_of_many)
    app.testing = True
    return app


def all_at_once(app: Flask, users: list[Holder], work: Any) -> list[Any]:
    start = Barrier(len(users))

    def run(user: Holder) -> Any:
        own = app.test_client()
        start.wait()
        return work(own, user)

    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(run, users))


def test_many_who_send_and_change_at_once_leave_no_gap(busy: Flask, database_of_many: Database) -> None:
    client = busy.test_client()
    shop = make_client(client)
    users = [make_user(client, shop, f"user{number}", permissions=ALL) for number in range(SENDERS)]
    room = make_room(client, shop, *users)

    def talk(own: FlaskClient, user: Holder) -> list[int]:
        numbers = []
        for number in range(8):
            said = send(own, user, room, f"{number}")
            numbers.append(said["seq"])
            if number % 4 == 0:
                own.patch(f"{MESSAGES}/{said['id']}", json={"content": "new"}, headers=user.headers)
            elif number % 4 == 2:
                own.delete(f"{MESSAGES}/{said['id']}", headers=user.headers)
        return numbers

    numbers = all_at_once(busy, users, talk)
    assert all(one == sorted(one) for one in numbers)
    assert sorted(seq for one in numbers for seq in one) == list(range(1, 8 * SENDERS + 1))
    kept = listed(client, shop, room, "&after_seq=0&limit=100")
    assert [one["seq"] for one in kept] == list(range(1, 8 * SENDERS + 1))
    for user in users:
        mine = [one["content"] for one in kept if one["sender_id"] == user.id and not one["is_deleted"]]
        assert mine == ["new", "1", "3", "new", "5", "7"]
    with database_of_many.transaction() as session:
        events = room_events(session, UUID(room), 0, 1000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len(events) == SENDERS * (1 + 8 + 4)


def test_one_message_sent_by_many_at_once_is_one_message(busy: Flask) -> None:
    client = busy.test_client()
    shop = make_client(client)
    user = make_user(client, shop)
    room = make_room(client, shop, user)
    sent = all_at_once(busy, [user] * SENDERS, lambda own, one: send(own, one, room, client_message_id="once"))
    assert len({one["id"] for one in sent}) == 1
    assert [one["seq"] for one in listed(client, shop, room)] == [1]


def test_rooms_do_not_wait_for_each_other(busy: Flask, database_of_many: Database) -> None:
    client = busy.test_client()
    shop = make_client(client)
    held, free = make_room(client, shop), make_room(client, shop)
    with database_of_many.transaction() as session:
        session.execute(text("SELECT 1 FROM room_states WHERE room_id = :room FOR UPDATE"), {"room": held})
        assert send(client, shop, free)["seq"] == 1
