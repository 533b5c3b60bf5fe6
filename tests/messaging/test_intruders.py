"""Those who want more than they were given, within their own application."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app
from app.messaging import room_events
from config.settings import Settings
from tests.support.clients import Holder, make_client, make_user
from tests.support.committing import at_once, committing_database
from tests.support.identity import data_of, error_of
from tests.support.rooms import ALL, MESSAGES, ROOMS, make_room, send


def bring_in(client: FlaskClient, by: Holder, room: str, whom: Holder) -> Any:
    return client.post(f"{ROOMS}/{room}/members", json={"user_id": whom.id}, headers=by.headers)


def join(client: FlaskClient, by: Holder, room: str) -> Any:
    return client.post(f"{ROOMS}/{room}/join", json={}, headers=by.headers)


def test_who_was_sent_out_comes_back_only_when_those_who_manage_the_room_want_it(
    client: FlaskClient, shop: Holder, ann: Holder, cleo: Holder, room: str
) -> None:
    dora = make_user(client, shop, "dora", permissions=ALL)
    for one in (cleo, dora):
        data_of(join(client, one, room))
    assert client.delete(f"{ROOMS}/{room}/members/{cleo.id}", headers=ann.headers).status_code == 204
    assert error_of(join(client, cleo, room), 403)["code"] == "INSUFFICIENT_PERMISSIONS"
    assert bring_in(client, dora, room, cleo).status_code == 403
    assert bring_in(client, ann, room, cleo).status_code == 201
    assert client.post(f"{ROOMS}/{room}/leave", json={}, headers=cleo.headers).status_code == 204
    assert join(client, cleo, room).status_code == 200
    assert client.delete(f"{ROOMS}/{room}/members/{cleo.id}", headers=shop.headers).status_code == 204
    assert join(client, cleo, room).status_code == 403
    again = client.post(f"{ROOMS}/{room}/join", json={"user_id": cleo.id}, headers=shop.headers)
    assert again.status_code == 200


def test_nobody_takes_the_place_of_who_left_a_direct_room(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder
) -> None:
    room = make_room(client, ann, bob, room_type="direct")
    send(client, bob, room, "between us")
    assert client.post(f"{ROOMS}/{room}/leave", json={}, headers=bob.headers).status_code == 204
    assert bring_in(client, ann, room, cleo).status_code == 403
    asked = client.post(f"{ROOMS}/{room}/join", json={"user_id": cleo.id}, headers=shop.headers)
    assert asked.status_code == 403
    assert bring_in(client, ann, room, bob).status_code == 201


def test_what_a_moderator_deleted_its_author_does_not_restore(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, room: str
) -> None:
    path = f"{MESSAGES}/{send(client, bob, room)['id']}"
    assert client.delete(path, headers=ann.headers).status_code == 204
    assert client.post(f"{path}/restore", headers=bob.headers).status_code == 403
    assert data_of(client.post(f"{path}/restore", headers=ann.headers))["content"] == "Hello"
    assert client.delete(path, headers=shop.headers).status_code == 204
    for member in (ann, bob):
        assert client.post(f"{path}/restore", headers=member.headers).status_code == 403
    assert data_of(client.post(f"{path}/restore", headers=shop.headers))["content"] == "Hello"


def test_nothing_comes_back_in_a_room_in_which_nobody_writes(client: FlaskClient, ann: Holder, room: str) -> None:
    path = f"{MESSAGES}/{send(client, ann, room)['id']}"
    client.delete(path, headers=ann.headers)
    client.post(f"{ROOMS}/{room}/deactivate", json={}, headers=ann.headers)
    assert error_of(client.post(f"{path}/restore", headers=ann.headers), 409)["code"] == "INVALID_STATE"


def test_making_a_room_is_no_way_around_the_right_to_invite(client: FlaskClient, shop: Holder, bob: Holder) -> None:
    maker = make_user(client, shop, "maker", permissions=["read_messages", "manage_rooms"])
    body = {"name": "Come all", "members": [bob.id]}
    refused = error_of(client.post(ROOMS, json=body, headers=maker.headers), 403)
    assert refused["details"] == {"required_permission": "rooms:invite"}
    assert client.post(ROOMS, json={**body, "members": [maker.id]}, headers=maker.headers).status_code == 201
    assert client.post(ROOMS, json={**body, "room_type": "direct"}, headers=maker.headers).status_code == 201


def test_a_foreign_room_and_none_at_all_are_answered_alike(client: FlaskClient, ann: Holder, room: str) -> None:
    rival = make_user(client, make_client(client, "Rival"), permissions=ALL)
    said = send(client, ann, room)

    def answers(room_id: str, message_id: str) -> list[Any]:
        asked = [
            client.get(f"{ROOMS}/{room_id}", headers=rival.headers),
            client.post(f"{ROOMS}/{room_id}/join", json={}, headers=rival.headers),
            client.get(f"{MESSAGES}/{message_id}", headers=rival.headers),
            client.post(MESSAGES, json={"room_id": room_id, "content": "x"}, headers=rival.headers),
        ]
        own = {"room_id": make_room(client, rival), "content": "x", "reply_to_id": message_id}
        asked.append(client.post(MESSAGES, json=own, headers=rival.headers))
        asked.append(client.get(f"{MESSAGES}/search?q=hello&room_ids={room_id}", headers=rival.headers))
        return [
            (one.status_code, str(one.get_json().get("error", one.get_json().get("data"))).replace(room_id, "R"))
            for one in asked
        ]

    found = answers(room, said["id"])
    nothing = answers(nowhere := str(uuid4()), other := str(uuid4()))
    assert [(status, text.replace(said["id"], "M")) for status, text in found] == [
        (status, text.replace(nowhere, "R").replace(other, "M")) for status, text in nothing
    ]


def test_a_user_who_is_deleted_while_they_join_leaves_every_room_they_came_to(settings: Settings, hints: Any) -> None:
    with committing_database(settings) as database:
        app = create_app(replace(settings, rate_limits=False), sender=hints, database=database)
        app.testing = True
        client = app.test_client()
        shop = make_client(client, "Busy shop")
        rooms = [make_room(client, shop) for _ in range(3)]
        for number in range(3):
            user = make_user(client, shop, f"hasty{number}", permissions=ALL)
            joins = [partial(_ask, app, "POST", f"{ROOMS}/{room}/join", user, {200, 401, 404}) for room in rooms]
            gone = partial(_ask, app, "DELETE", f"/api/v1/users/{user.id}", shop, {204})
            assert at_once(*joins, gone) == [None] * 4
        for room in rooms:
            assert data_of(client.get(f"{ROOMS}/{room}/members", headers=shop.headers)) == []
            with database.transaction() as session:
                kinds = [one.type for one in room_events(session, UUID(room), 0, 100)]
            assert kinds.count("user_joined") == kinds.count("user_left")


def _ask(app: Flask, method: str, path: str, by: Holder, statuses: set[int]) -> None:
    reply = app.test_client().open(path, method=method, json={}, headers=by.headers)
    assert reply.status_code in statuses, reply.get_data(as_text=True)
