"""Messages: sent, listed, changed, deleted and restored, in one order."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.kernel.ids import new_id
from app.messaging import Message, room_events, room_topic, shape
from tests.support.clients import Holder
from tests.support.identity import data_of, error_of
from tests.support.rooms import MESSAGES, ROOMS, listed, make_room, send


def test_messages_are_numbered_without_a_gap_and_newest_come_first(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    sent = [send(client, one, room, f"{number}") for number, one in enumerate((ann, bob, ann))]
    assert [one["seq"] for one in sent] == [1, 2, 3]
    assert (sent[1]["sender_id"], sent[1]["sender_name"], sent[1]["message_type"]) == (bob.id, "bob", "text")
    assert listed(client, bob, room) == sent[::-1]
    assert [one["seq"] for one in listed(client, bob, room, "&sort=seq&limit=2")] == [1, 2]
    assert listed(client, ann, room, f"&sender_id={bob.id}") == [sent[1]]
    assert data_of(client.get(f"{ROOMS}/{room}", headers=ann.headers))["message_count"] == 3


def test_after_seq_walks_a_room_from_any_place(client: FlaskClient, ann: Holder, bob: Holder, room: str) -> None:
    for number in range(25):
        send(client, ann, room, f"{number}")
    seen, after = [], 0
    while page := listed(client, bob, room, f"&after_seq={after}&limit=10"):
        seen += [one["seq"] for one in page]
        after = page[-1]["seq"]
    assert seen == list(range(1, 26))
    assert [one["seq"] for one in listed(client, bob, room, "&before_seq=3")] == [2, 1]
    assert listed(client, bob, room, "&after_seq=999999999999") == []
    query = f"{MESSAGES}?room_id={room}&after_seq=3&limit=5"
    first = client.get(query, headers=bob.headers).get_json()
    cursor = first["meta"]["pagination"]["next_cursor"]
    second = data_of(client.get(f"{query}&cursor={cursor}", headers=bob.headers))
    assert [one["seq"] for one in second] == [9, 10, 11, 12, 13]


def test_a_message_sent_again_is_the_same_message(client: FlaskClient, ann: Holder, bob: Holder, room: str) -> None:
    first = send(client, ann, room, client_message_id="m-1")
    again = client.post(
        MESSAGES, json={"room_id": room, "content": "other", "client_message_id": "m-1"}, headers=ann.headers
    )
    assert (again.status_code, data_of(again)) == (200, first)
    assert send(client, bob, room, client_message_id="m-1")["seq"] == 2
    assert send(client, ann, room)["seq"] == 3


def test_an_author_changes_what_a_message_says(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, room: str
) -> None:
    said = send(client, bob, room)
    path = f"{MESSAGES}/{said['id']}"
    refused = error_of(client.patch(path, json={"content": "x"}, headers=ann.headers), 403)
    assert refused["details"] == {"required_permission": "messages:write"}
    tag = client.get(path, headers=bob.headers).headers["ETag"]
    changed = data_of(client.patch(path, json={"content": "Hi"}, headers={**bob.headers, "If-Match": tag}))
    assert (changed["content"], changed["is_edited"], changed["seq"]) == ("Hi", True, 1)
    assert changed["place"] > said["place"]
    late = client.put(path, json={"content": "Ho"}, headers={**bob.headers, "If-Match": tag})
    assert error_of(late, 412)["code"] == "PRECONDITION_FAILED"
    assert data_of(client.put(path, json={"content": "Ho"}, headers=shop.headers))["content"] == "Ho"
    assert send(client, bob, room)["seq"] == 2


def test_a_deleted_message_says_nothing_and_comes_back_whole(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    said = send(client, bob, room, "@ann secret", message_type="image", meta={"url": "https://shop.example/a.png"})
    path = f"{MESSAGES}/{said['id']}"
    for _ in range(2):
        assert client.delete(path, headers=bob.headers).status_code == 204
    (left,) = listed(client, ann, room)
    assert (left["content"], left["meta"], left["mentions"], left["is_deleted"]) == (None, {}, [], True)
    assert data_of(client.get(path, headers=ann.headers)) == left
    assert listed(client, ann, room, "&include_deleted=false") == []
    assert data_of(client.get(f"{MESSAGES}/search?q=secret", headers=ann.headers)) == []
    assert error_of(client.patch(path, json={"content": "x"}, headers=bob.headers), 409)["code"] == "INVALID_STATE"
    assert client.post(f"{path}/restore", headers=ann.headers).status_code == 403
    back = data_of(client.post(f"{path}/restore", headers=bob.headers))
    assert {**back, "place": 0} == {**said, "place": 0}
    assert error_of(client.post(f"{path}/restore", headers=bob.headers), 409)["code"] == "INVALID_STATE"


def test_those_who_manage_a_room_delete_what_others_said(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    of_ann, of_bob = send(client, ann, room), send(client, bob, room)
    assert client.delete(f"{MESSAGES}/{of_ann['id']}", headers=bob.headers).status_code == 403
    assert client.delete(f"{MESSAGES}/{of_bob['id']}", headers=ann.headers).status_code == 204


def test_the_events_of_a_room_have_one_order_and_tell_what_rest_tells(
    client: FlaskClient, ann: Holder, bob: Holder, cleo: Holder, room: str, database: Database
) -> None:
    first, second = send(client, ann, room, "1"), send(client, bob, room, "2")
    client.patch(f"{MESSAGES}/{first['id']}", json={"content": "one"}, headers=ann.headers)
    client.post(f"{ROOMS}/{room}/join", json={}, headers=cleo.headers)
    client.delete(f"{MESSAGES}/{second['id']}", headers=bob.headers)
    client.post(f"{MESSAGES}/{second['id']}/restore", headers=bob.headers)
    client.post(f"{ROOMS}/{room}/leave", json={}, headers=cleo.headers)
    last = send(client, ann, room, "3")
    with database.transaction() as session:
        events = room_events(session, UUID(room), 0, 100)
        kept = session.get_one(Message, UUID(last["id"]))
        assert shape(kept) == last
        assert room_events(session, UUID(room), 5, 2) == events[5:7]
    assert [event.seq for event in events] == list(range(1, 11))
    assert [event.type for event in events] == [
        *("user_joined", "user_joined", "message", "message", "message_updated", "user_joined"),
        *("message_deleted", "message_restored", "user_left", "message"),
    ]
    assert {event.topic for event in events} == {room_topic(UUID(room))}
    assert (events[2].data["content"], events[4].data["place"]) == ("one", 5)


def test_a_reply_belongs_to_the_thread_of_what_it_answers(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    root = send(client, ann, room)
    reply = send(client, bob, room, "re", reply_to_id=root["id"])
    deeper = send(client, ann, room, "re re", reply_to_id=reply["id"])
    send(client, ann, room, "aside")
    assert (reply["thread_id"], deeper["thread_id"], deeper["reply_to_id"]) == (root["id"], root["id"], reply["id"])
    for one in (root, deeper):
        thread = data_of(client.get(f"{MESSAGES}/{one['id']}/thread", headers=bob.headers))
        assert thread == [reply, deeper]
    elsewhere = send(client, ann, make_room(client, ann))
    for wrong in (elsewhere["id"], str(new_id())):
        body = {"room_id": room, "content": "x", "reply_to_id": wrong}
        refused = error_of(client.post(MESSAGES, json=body, headers=bob.headers), 422)
        assert refused["errors"][0]["field"] == "reply_to_id"


def test_only_members_of_the_room_are_mentioned(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    said = send(client, shop, room, "@ANN, @cleo: mail x@bob.example or @nobody.", mentions=[bob.id, cleo.id])
    assert set(said["mentions"]) == {ann.id, bob.id}
    assert [one["id"] for one in listed(client, bob, room, f"&mentions={bob.id}")] == [said["id"]]
    assert send(client, ann, room, "nobody")["mentions"] == []


def test_unread_messages_are_counted_until_they_are_read(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, room: str
) -> None:
    path = f"{ROOMS}/{room}"
    sent = [send(client, ann, room, text) for text in ("1", "@bob 2", "3")]
    send(client, bob, room, "mine")
    client.delete(f"{MESSAGES}/{sent[2]['id']}", headers=ann.headers)
    unread = data_of(client.get(f"{path}/unread", headers=bob.headers))
    assert (unread["unread_count"], unread["unread_mentions"], unread["last_seq"]) == (2, 1, 4)
    assert data_of(client.get(f"{path}/unread?user_id={bob.id}", headers=shop.headers)) == unread
    read = data_of(client.post(f"{path}/read", json={"message_id": sent[0]["id"]}, headers=bob.headers))
    assert (read["unread_count"], read["last_read_seq"]) == (1, 1)
    assert data_of(client.post(f"{path}/read", json={}, headers=bob.headers))["unread_count"] == 0
    assert data_of(client.post(f"{path}/read", json={"seq": 1}, headers=bob.headers))["last_read_seq"] == 4
    for body in ({"seq": 5}, {"message_id": str(new_id())}, {"seq": -1}, {"seq": "1"}):
        assert client.post(f"{path}/read", json=body, headers=bob.headers).status_code == 422
    assert client.get(f"{path}/unread", headers=shop.headers).status_code == 404


def test_the_application_speaks_for_itself_and_for_members(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    system = send(client, shop, room, "Sale", message_type="system", meta={"event": "sale", "data": {"x": 1}})
    assert (system["sender_id"], system["sender_name"]) == (None, "Web shop")
    assert send(client, shop, room, sender_id=bob.id)["sender_id"] == bob.id
    for by, body, status in (
        (bob, {"message_type": "system", "meta": {"event": "x"}}, 403),
        (bob, {"sender_id": ann.id}, 403),
        (shop, {"sender_id": cleo.id}, 404),
    ):
        reply = client.post(MESSAGES, json={"room_id": room, "content": "x", **body}, headers=by.headers)
        assert reply.status_code == status


@pytest.mark.parametrize("query", ["", "?room_id=x", "?room_id={room}&after_seq=-1", "?room_id={room}&after_seq=1e3"])
def test_a_list_names_its_room_and_a_place(client: FlaskClient, ann: Holder, room: str, query: str) -> None:
    assert client.get(MESSAGES + query.format(room=room), headers=ann.headers).status_code == 422


def test_dates_bound_a_list_and_the_end_date_is_whole(client: FlaskClient, ann: Holder, room: str) -> None:
    today = send(client, ann, room)["created_at"][:10]
    assert len(listed(client, ann, room, f"&start_date={today}&end_date={today}")) == 1
    assert listed(client, ann, room, "&start_date=2099-01-01") == []
    assert listed(client, ann, room, "&end_date=2020-01-01T00:00:00Z") == []
    assert client.get(f"{MESSAGES}?room_id={room}&end_date=soon", headers=ann.headers).status_code == 422
