"""What time does: quiet rooms fall asleep, old messages go, each as its application wants it."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app import jobs
from app.kernel.db import Database
from app.messaging import PruneMessages, SweepRooms, room_events
from tests.support.clients import Holder, make_client
from tests.support.identity import data_of, error_of
from tests.support.rooms import ROOMS, listed, make_room, send
from tests.support.work import drain

pytestmark = pytest.mark.slow


def run(database: Database, kind: type[SweepRooms | PruneMessages], days: int = 365) -> None:
    with database.transaction() as session:
        jobs.accept(session, kind())
    assert drain(database, SimpleNamespace(message_days=days)) == 1


def age(database: Database, table: str, column: str, days: int, room: str) -> None:
    with database.transaction() as session:
        statement = f"UPDATE {table} SET {column} = now() - make_interval(days => :days) WHERE room_id = :room"
        session.execute(text(statement), {"days": days, "room": room})


def standing(client: FlaskClient, by: Holder, room: str) -> tuple[bool, str | None]:
    said = data_of(client.get(f"{ROOMS}/{room}", headers=by.headers))
    return said["is_active"], said["deactivated_reason"]


def test_a_quiet_room_falls_asleep_after_the_days_of_its_type_and_a_message_wakes_it(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, database: Database
) -> None:
    rooms = {
        kind: make_room(client, shop, ann, bob, room_type=kind) for kind in ("direct", "group", "channel", "support")
    }
    for kind, days in (("direct", 91), ("group", 29), ("channel", 181), ("support", 6)):
        age(database, "room_states", "quiet_since", days, rooms[kind])
    run(database, SweepRooms)
    asleep = {kind for kind, room in rooms.items() if standing(client, shop, room) == (False, "auto_inactive")}
    assert asleep == {"direct", "channel"}
    assert send(client, ann, rooms["direct"])["seq"] == 1
    assert standing(client, shop, rooms["direct"]) == (True, None)
    run(database, SweepRooms)
    assert standing(client, shop, rooms["direct"]) == (True, None)
    with database.transaction() as session:
        events = room_events(session, UUID(rooms["direct"]), 2, 10)
    assert [(one.seq, one.type) for one in events] == [(3, "room_updated"), (4, "room_updated"), (5, "message")]
    assert [one.data["is_active"] for one in events[:2]] == [False, True]


def test_a_room_put_to_sleep_by_hand_is_not_woken(
    client: FlaskClient, ann: Holder, room: str, database: Database
) -> None:
    data_of(client.post(f"{ROOMS}/{room}/deactivate", json={}, headers=ann.headers))
    age(database, "room_states", "quiet_since", 400, room)
    run(database, SweepRooms)
    assert standing(client, ann, room) == (False, "manual")
    reply = client.post("/api/v1/messages", json={"room_id": room, "content": "x"}, headers=ann.headers)
    assert error_of(reply, 409)["details"] == {"reason": "manual"}


def test_old_messages_go_as_each_application_wants_and_numbers_go_on(
    client: FlaskClient, shop: Holder, ann: Holder, room: str, database: Database
) -> None:
    data_of(client.patch("/api/v1/clients/me", json={"message_retention_days": 10}, headers=shop.headers))
    other = make_client(client, "Keeps all")
    elsewhere = make_room(client, other)
    for by, where in ((ann, room), (other, elsewhere)):
        send(client, by, where, "old")
        for table in ("messages", "room_changes"):
            age(database, table, "created_at", 11, where)
        send(client, by, where, "new")
    run(database, PruneMessages)
    assert [one["seq"] for one in listed(client, ann, room)] == [2]
    assert [one["seq"] for one in listed(client, other, elsewhere)] == [2, 1]
    with database.transaction() as session:
        assert [one.seq for one in room_events(session, UUID(room), 0, 10)] == [4]
    run(database, PruneMessages, days=10)
    assert [one["seq"] for one in listed(client, other, elsewhere)] == [2]
    assert send(client, ann, room)["seq"] == 3


def test_how_long_messages_are_kept_is_a_number_of_days(client: FlaskClient, shop: Holder) -> None:
    for days in (0, 3651, "10", 1.5):
        reply = client.patch("/api/v1/clients/me", json={"message_retention_days": days}, headers=shop.headers)
        assert error_of(reply, 422)["errors"][0]["field"] == "message_retention_days"


def test_the_rows_of_a_deleted_application_go(
    client: FlaskClient, shop: Holder, ann: Holder, room: str, database: Database
) -> None:
    send(client, ann, room)
    assert client.delete("/api/v1/clients/me", headers=shop.headers).status_code == 204
    run(database, PruneMessages, days=0)
    with database.transaction() as session:
        for table in ("messages", "room_changes"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
