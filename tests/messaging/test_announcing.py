"""What happens in rooms is in the log of events, and reaches webhooks; what rooms say of a user who is deleted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.messaging import forget_old_announcements, room_events
from tests.support.clients import Holder, make_user
from tests.support.identity import data_of
from tests.support.rooms import ALL, MESSAGES, ROOMS, make_room, send


def announced(database: Database, room: str) -> list[EventRecord]:
    with database.transaction() as session:
        rows = select(EventRecord).where(EventRecord.subject == f"room:{room}").order_by(EventRecord.created_at)
        return list(session.scalars(rows))


def told(database: Database, room: str, after: int = 0) -> list[Any]:
    with database.transaction() as session:
        return room_events(session, UUID(room), after, 100)


def test_all_that_happens_in_a_room_is_announced_in_its_order(
    client: FlaskClient, database: Database, shop: Holder, ann: Holder, bob: Holder
) -> None:
    room = make_room(client, ann, bob)
    said = send(client, bob, room, "@ann hello", client_message_id="b-1")
    path = f"{MESSAGES}/{said['id']}"
    client.patch(path, json={"content": "Hi"}, headers=bob.headers)
    client.delete(path, headers=bob.headers)
    client.post(f"{path}/restore", headers=bob.headers)
    client.patch(f"{ROOMS}/{room}", json={"name": "Other"}, headers=ann.headers)
    client.delete(f"{ROOMS}/{room}/members/{bob.id}", headers=ann.headers)
    client.delete(f"{ROOMS}/{room}", headers=ann.headers)
    records = announced(database, room)
    assert [one.type for one in records] == [
        *("room.created", "room.joined", "room.joined", "message.created", "message.updated", "message.deleted"),
        *("message.restored", "room.updated", "room.left", "room.deleted"),
    ]
    assert {str(one.client_id) for one in records} == {shop.id}
    first, deleted, left = records[3].data, records[5].data, records[8].data
    assert (first["content"], first["mentions"], first["seq"]) == ("@ann hello", [ann.id], 1)
    assert (first["message_id"], first["sender_id"], first["client_message_id"]) == (said["id"], bob.id, "b-1")
    assert "content" not in deleted
    assert deleted["deleted_by"] == bob.id
    assert (left["user_id"], left["removed_by"]) == (bob.id, ann.id)
    assert records[7].data["changes"]["name"] == "Other"


def test_what_was_said_is_not_kept_in_the_log_for_longer_than_messages_are(
    client: FlaskClient, database: Database, shop: Holder, ann: Holder, room: str
) -> None:
    data_of(client.patch("/api/v1/clients/me", json={"message_retention_days": 10}, headers=shop.headers))
    send(client, ann, room, "old")
    with database.transaction() as session:
        session.execute(text("UPDATE events SET created_at = now() - interval '11 days', dispatched_at = now()"))
    send(client, ann, room, "new")
    with database.transaction() as session:
        assert forget_old_announcements(session, 365) == 1
    assert [one.data["content"] for one in announced(database, room) if one.type == "message.created"] == ["new"]


def test_a_deleted_user_leaves_every_room_and_somebody_owns_each(
    client: FlaskClient, database: Database, shop: Holder, ann: Holder, bob: Holder
) -> None:
    first, second = (make_room(client, ann, bob) for _ in range(2))
    before = {room: len(told(database, room)) for room in (first, second)}
    client.post(f"{ROOMS}/{second}/leave", json={}, headers=bob.headers)
    assert client.delete(f"/api/v1/users/{ann.id}", headers=shop.headers).status_code == 204
    (left,) = told(database, first, before[first])
    assert (left.type, left.data["user_id"], left.data["removed_by"]) == ("user_left", ann.id, None)
    assert told(database, second)[-1].data["user_id"] == ann.id
    members = data_of(client.get(f"{ROOMS}/{first}/members", headers=bob.headers))
    assert [(one["user_id"], one["role"]) for one in members] == [(bob.id, "owner")]
    assert announced(database, first)[-1].type == "room.left"
    assert send(client, bob, first)["place"] == left.seq + 1


def test_a_user_without_rooms_is_deleted_and_tells_nobody(
    client: FlaskClient, database: Database, shop: Holder, room: str
) -> None:
    guest = make_user(client, shop, "guest", permissions=ALL)
    client.post(f"{ROOMS}/{room}/join", json={}, headers=guest.headers)
    client.post(f"{ROOMS}/{room}/leave", json={}, headers=guest.headers)
    before = len(told(database, room))
    assert client.delete(f"/api/v1/users/{guest.id}", headers=shop.headers).status_code == 204
    assert len(told(database, room)) == before
