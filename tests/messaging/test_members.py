"""Members: joining, leaving, being brought in and sent out, and their roles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

from flask.testing import FlaskClient

from app.factory import create_app
from config.settings import Settings
from tests.support.clients import Holder, make_client, make_user
from tests.support.committing import committing_database
from tests.support.identity import data_of, error_of
from tests.support.rooms import ALL, ROOMS, make_room, send


def roles(client: FlaskClient, by: Holder, room: str) -> dict[str, str]:
    members = data_of(client.get(f"{ROOMS}/{room}/members", headers=by.headers))
    return {one["user_name"]: one["role"] for one in members}


def join(client: FlaskClient, by: Holder, room: str, **body: Any) -> Any:
    return client.post(f"{ROOMS}/{room}/join", json=body, headers=by.headers)


def test_who_leaves_and_comes_back_finds_their_place(client: FlaskClient, ann: Holder, bob: Holder, room: str) -> None:
    send(client, ann, room)
    data_of(client.post(f"{ROOMS}/{room}/read", json={}, headers=bob.headers))
    assert client.post(f"{ROOMS}/{room}/leave", json={}, headers=bob.headers).status_code == 204
    assert roles(client, ann, room) == {"Ann Smith": "owner"}
    assert client.get(f"{ROOMS}/{room}", headers=bob.headers).status_code == 404
    send(client, ann, room)
    again = data_of(join(client, bob, room, user_name="Bobby", meta={"x": 1}))
    assert (again["user_name"], again["role"], again["last_read_seq"]) == ("Bobby", "member", 1)
    assert error_of(join(client, bob, room), 409)["code"] == "RESOURCE_ALREADY_EXISTS"


def test_the_application_lets_its_users_in_and_out(client: FlaskClient, shop: Holder, cleo: Holder, room: str) -> None:
    assert join(client, shop, room).status_code == 404
    data_of(join(client, shop, room, user_id=cleo.id))
    data_of(client.get(f"{ROOMS}/{room}", headers=cleo.headers))
    body = {"user_id": cleo.id}
    for status in (204, 404):
        assert client.post(f"{ROOMS}/{room}/leave", json=body, headers=shop.headers).status_code == status
    stranger = make_user(client, make_client(client, "Rival"), "eve")
    assert error_of(join(client, shop, room, user_id=stranger.id), 404)["details"]["resource_type"] == "user"


def test_users_act_for_nobody_else(client: FlaskClient, bob: Holder, cleo: Holder, room: str) -> None:
    assert join(client, bob, room, user_id=cleo.id).status_code == 403
    assert client.post(f"{ROOMS}/{room}/leave", json={"user_id": cleo.id}, headers=bob.headers).status_code == 403
    assert client.get(f"{ROOMS}/{room}/unread?user_id={cleo.id}", headers=bob.headers).status_code == 403


def test_a_full_room_takes_nobody(client: FlaskClient, ann: Holder, bob: Holder, cleo: Holder) -> None:
    room = make_room(client, ann, bob, max_members=2)
    refused = error_of(join(client, cleo, room), 409)
    assert (refused["code"], refused["details"]) == ("INVALID_STATE", {"max_members": 2})
    client.post(f"{ROOMS}/{room}/leave", json={}, headers=bob.headers)
    data_of(join(client, cleo, room))


def test_members_bring_others_in_and_those_who_manage_give_roles(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    path, body = f"{ROOMS}/{room}/members", {"user_id": cleo.id}
    refused = error_of(client.post(path, json=body, headers=bob.headers), 403)
    assert refused["details"] == {"required_permission": "rooms:invite"}
    data_of(client.post(path, json={**body, "role": "admin"}, headers=ann.headers), 201)
    assert roles(client, bob, room) == {"Ann Smith": "owner", "bob": "member", "cleo": "admin"}
    for user, role in ((ann, "member"), (bob, "owner"), (cleo, "owner")):
        refused = client.patch(f"{path}/{user.id}", json={"role": role}, headers=cleo.headers)
        assert refused.status_code == 403, role
    assert client.delete(f"{path}/{ann.id}", headers=cleo.headers).status_code == 403
    assert client.delete(f"{path}/{bob.id}", headers=cleo.headers).status_code == 204
    assert roles(client, shop, room) == {"Ann Smith": "owner", "cleo": "admin"}


def test_a_room_without_its_owner_is_its_oldest_admins(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    data_of(join(client, shop, room, user_id=cleo.id))
    data_of(client.patch(f"{ROOMS}/{room}/members/{cleo.id}", json={"role": "admin"}, headers=ann.headers))
    client.post(f"{ROOMS}/{room}/leave", json={}, headers=ann.headers)
    assert roles(client, shop, room) == {"bob": "member", "cleo": "owner"}
    path = f"{ROOMS}/{room}/members/{cleo.id}"
    data_of(client.patch(path, json={"role": "member"}, headers=cleo.headers))
    assert sorted(roles(client, shop, room).values()) == ["member", "owner"]
    for user in (cleo, bob):
        client.post(f"{ROOMS}/{room}/leave", json={}, headers=user.headers)
    assert roles(client, shop, room) == {}


def test_each_permission_of_a_users_key_is_asked_for(client: FlaskClient, shop: Holder, room: str) -> None:
    users = {
        name: make_user(client, shop, f"only-{name.replace('_', '-')}", permissions=[name])
        for name in ("read_messages", "send_messages", "join_rooms", "manage_rooms", "invite_users")
    }
    for user in users.values():
        data_of(join(client, shop, room, user_id=user.id))
    message = {"room_id": room, "content": "x"}
    asked: list[tuple[str, str, str, Any]] = [
        ("read_messages", "get", f"{ROOMS}/{room}", None),
        ("read_messages", "get", f"/api/v1/messages?room_id={room}", None),
        ("read_messages", "get", "/api/v1/messages/search?q=x", None),
        ("send_messages", "post", "/api/v1/messages", message),
        ("manage_rooms", "post", ROOMS, {"name": "y"}),
        ("invite_users", "post", f"{ROOMS}/{room}/members", {"user_id": users["read_messages"].id}),
        ("join_rooms", "post", f"{ROOMS}/{room}/join", {}),
    ]
    for needed, method, path, body in asked:
        for name, user in users.items():
            status = client.open(path, method=method, json=body, headers=user.headers).status_code
            assert (status == 403) is (name != needed), (needed, name, path, status)


def test_of_many_who_join_at_once_as_many_get_in_as_there_is_room(settings: Settings, hints: Any) -> None:
    with committing_database(settings) as database:
        app = create_app(replace(settings, rate_limits=False), sender=hints, database=database)
        app.testing = True
        client = app.test_client()
        shop = make_client(client)
        users = [make_user(client, shop, f"user{number}", permissions=ALL) for number in range(6)]
        room = make_room(client, shop, max_members=3)
        start = Barrier(6)

        def come(user: Holder) -> int:
            own = app.test_client()
            start.wait()
            return join(own, user, room).status_code

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(come, users)) == [200] * 3 + [409] * 3
        assert len(roles(client, shop, room)) == 3
