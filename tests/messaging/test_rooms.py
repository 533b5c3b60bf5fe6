"""Rooms: made, listed, changed, put to sleep and deleted by those who may."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import data_of, error_of
from tests.support.rooms import ALL, MESSAGES, ROOMS, listed, make_room, send


def names(client: FlaskClient, by: Holder, query: str = "", path: str = ROOMS) -> list[str]:
    return [one["name"] for one in data_of(client.get(f"{path}?sort=name{query}", headers=by.headers))]


def test_a_user_makes_a_room_and_owns_it(client: FlaskClient, shop: Holder, ann: Holder, bob: Holder) -> None:
    body = {"name": "General", "description": "All of us", "members": [bob.id], "meta": {"colour": "red"}}
    made = data_of(client.post(ROOMS, json=body, headers=ann.headers), 201)
    assert (made["client_id"], made["room_type"], made["max_members"]) == (shop.id, "group", 100)
    assert (made["participant_count"], made["message_count"], made["is_active"]) == (2, 0, True)
    assert data_of(client.get(f"{ROOMS}/{made['id']}", headers=bob.headers)) == made
    members = data_of(client.get(f"{ROOMS}/{made['id']}/participants", headers=bob.headers))
    assert {(one["user_name"], one["role"]) for one in members} == {("Ann Smith", "owner"), ("bob", "member")}


def test_users_list_their_rooms_and_the_application_all(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder
) -> None:
    make_room(client, ann, bob, name="One")
    make_room(client, cleo, name="Two", room_type="channel", description="Of cats")
    make_room(client, shop, bob, name="Three", room_type="support")
    assert names(client, ann) == ["One"]
    assert names(client, bob) == ["One", "Three"]
    for path in (ROOMS, f"{ROOMS}/all"):
        assert names(client, shop, path=path) == ["One", "Three", "Two"]
    assert names(client, shop, "&room_type=channel") == names(client, shop, "&search=CATS") == ["Two"]
    refused = error_of(client.get(f"{ROOMS}/all", headers=ann.headers), 403)
    assert refused["code"] == "INSUFFICIENT_PERMISSIONS"


def test_owners_change_a_room_and_a_message_changes_no_tag(
    client: FlaskClient, ann: Holder, bob: Holder, room: str
) -> None:
    path = f"{ROOMS}/{room}"
    tag = client.get(path, headers=ann.headers).headers["ETag"]
    send(client, bob, room)
    changed = client.patch(path, json={"name": "New"}, headers={**ann.headers, "If-Match": tag})
    assert (data_of(changed)["name"], data_of(changed)["message_count"]) == ("New", 1)
    late = client.patch(path, json={"name": "Newer"}, headers={**ann.headers, "If-Match": tag})
    assert error_of(late, 412)["code"] == "PRECONDITION_FAILED"
    replaced = data_of(client.put(path, json={"name": "Whole"}, headers=ann.headers))
    assert (replaced["name"], replaced["description"], replaced["meta"]) == ("Whole", None, {})


def test_members_who_do_not_manage_a_room_do_not_change_it(
    client: FlaskClient, shop: Holder, ann: Holder, cleo: Holder, room: str
) -> None:
    data_of(client.post(f"{ROOMS}/{room}/join", json={}, headers=cleo.headers))
    for method, path, body in (
        ("patch", "", {"name": "x"}),
        ("delete", "", None),
        ("post", "/deactivate", {}),
        ("patch", f"/members/{ann.id}", {"role": "member"}),
        ("delete", f"/members/{ann.id}", None),
    ):
        reply = client.open(f"{ROOMS}/{room}{path}", method=method, json=body, headers=cleo.headers)
        assert error_of(reply, 403)["details"]["required_permission"] == "rooms:write", path
    role = {"role": "admin"}
    data_of(client.patch(f"{ROOMS}/{room}/members/{cleo.id}", json=role, headers=shop.headers))
    data_of(client.patch(f"{ROOMS}/{room}", json={"name": "x"}, headers=cleo.headers))
    assert client.delete(f"{ROOMS}/{room}", headers=cleo.headers).status_code == 403
    assert client.delete(f"{ROOMS}/{room}", headers=ann.headers).status_code == 204
    assert client.get(f"{ROOMS}/{room}", headers=shop.headers).status_code == 404


def test_in_an_inactive_room_nobody_writes_and_all_read(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    said = send(client, bob, room)
    asleep = data_of(client.post(f"{ROOMS}/{room}/deactivate", json={"reason": "done"}, headers=ann.headers))
    assert (asleep["is_active"], asleep["deactivated_reason"]) == (False, "manual")
    for reply in (
        client.post(MESSAGES, json={"room_id": room, "content": "x"}, headers=bob.headers),
        client.patch(f"{MESSAGES}/{said['id']}", json={"content": "x"}, headers=bob.headers),
        client.post(f"{ROOMS}/{room}/join", json={}, headers=cleo.headers),
        client.post(f"{ROOMS}/{room}/deactivate", json={}, headers=ann.headers),
    ):
        assert error_of(reply, 409)["code"] == "INVALID_STATE"
    assert [one["content"] for one in listed(client, bob, room)] == ["Hello"]
    assert names(client, shop, "&is_active=true") == []
    data_of(client.post(f"{ROOMS}/{room}/activate", json={}, headers=shop.headers))
    assert send(client, bob, room)["seq"] == 2


def test_a_direct_room_has_two_members_from_the_start(
    client: FlaskClient, ann: Holder, bob: Holder, cleo: Holder
) -> None:
    body = {"name": "Ann and Bob", "room_type": "direct"}
    for members in ([], [ann.id], [bob.id, cleo.id]):
        refused = client.post(ROOMS, json={**body, "members": members}, headers=ann.headers)
        assert error_of(refused, 422)["errors"][0]["field"] == "members"
    room = make_room(client, ann, bob, room_type="direct")
    assert client.post(f"{ROOMS}/{room}/join", json={}, headers=cleo.headers).status_code == 404
    refused = client.post(f"{ROOMS}/{room}/members", json={"user_id": cleo.id}, headers=ann.headers)
    assert error_of(refused, 403)["code"] == "INSUFFICIENT_PERMISSIONS"


def test_to_others_a_room_does_not_exist(client: FlaskClient, ann: Holder, cleo: Holder, room: str) -> None:
    rival = make_client(client, "Rival")
    said = send(client, ann, room)
    for stranger in (rival, make_user(client, rival, "ann", permissions=ALL), cleo):
        for method, path, body in (
            ("get", f"{ROOMS}/{room}", None),
            ("patch", f"{ROOMS}/{room}", {"name": "x"}),
            ("delete", f"{ROOMS}/{room}", None),
            ("get", f"{ROOMS}/{room}/participants", None),
            ("get", f"{ROOMS}/{room}/unread", None),
            ("post", f"{ROOMS}/{room}/read", {}),
            ("post", f"{ROOMS}/{room}/leave", {}),
            ("get", f"{MESSAGES}?room_id={room}", None),
            ("post", MESSAGES, {"room_id": room, "content": "x"}),
            ("get", f"{MESSAGES}/{said['id']}", None),
            ("get", f"{MESSAGES}/{said['id']}/thread", None),
            ("patch", f"{MESSAGES}/{said['id']}", {"content": "x"}),
            ("delete", f"{MESSAGES}/{said['id']}", None),
            ("post", f"{MESSAGES}/{said['id']}/restore", None),
        ):
            reply = client.open(path, method=method, json=body, headers=stranger.headers)
            assert reply.status_code == 404, (method, path)
            assert "General" not in reply.get_data(as_text=True)


def test_another_application_does_not_act_for_the_members_of_a_room(
    client: FlaskClient, ann: Holder, cleo: Holder, room: str
) -> None:
    rival = make_client(client, "Rival")
    for method, path, body in (
        ("get", f"{ROOMS}/{room}/unread?user_id={ann.id}", None),
        ("post", f"{ROOMS}/{room}/read", {"user_id": ann.id}),
        ("post", f"{ROOMS}/{room}/leave", {"user_id": ann.id}),
        ("post", f"{ROOMS}/{room}/join", {"user_id": cleo.id}),
        ("post", MESSAGES, {"room_id": room, "content": "x", "sender_id": ann.id}),
        ("post", f"{ROOMS}/{room}/members", {"user_id": cleo.id}),
        ("delete", f"{ROOMS}/{room}/members/{ann.id}", None),
        ("patch", f"{ROOMS}/{room}/members/{ann.id}", {"role": "member"}),
    ):
        reply = client.open(path, method=method, json=body, headers=rival.headers)
        assert error_of(reply, 404)["details"] == {"resource_type": "room", "resource_id": room}, (method, path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "  "),
        ("name", "a\nb"),
        ("name", "x" * 101),
        ("name", 5),
        ("room_type", "secret"),
        ("max_members", 1),
        ("max_members", 10_001),
        ("max_members", "100"),
        ("description", "x" * 1001),
        ("meta", []),
        ("meta", {"x": "y" * 20_000}),
        ("members", ["nobody"]),
        ("created_by", "0198c000-0000-7000-8000-000000000000"),
        ("client_id", "0198c000-0000-7000-8000-000000000000"),
    ],
)
def test_what_is_no_room_is_refused(client: FlaskClient, shop: Holder, field: str, value: Any) -> None:
    refused = error_of(client.post(ROOMS, json={"name": "x", field: value}, headers=shop.headers), 422)
    assert refused["errors"][0]["field"].startswith(field)


def test_a_member_of_another_application_cannot_be_named(client: FlaskClient, shop: Holder, bob: Holder) -> None:
    stranger = make_user(client, make_client(client, "Rival"), "eve")
    body = {"name": "x", "members": [bob.id, stranger.id]}
    refused = error_of(client.post(ROOMS, json=body, headers=shop.headers), 404)
    assert refused["details"] == {"resource_type": "user", "resource_id": stranger.id}
    assert names(client, shop) == []
