"""Chat rooms live: heard and spoken in by WebSocket, with nothing lost or doubled, by whom they are open to."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.factory import create_app
from app.kernel.opening import open_redis
from app.kernel.presence import Listeners
from app.kernel.stream import publish
from config.settings import Settings
from tests.conftest import SECRET
from tests.support.clients import Holder, make_client, make_user
from tests.support.platform import wait_for
from tests.support.rooms import ALL, MESSAGES, ROOMS, listed, make_room, send
from tests.support.stream_world import StreamWorld
from tests.support.websocket import Talker, ids

pytestmark = pytest.mark.slow


def make_world(folder: Path, events_url: str, live_url: str) -> StreamWorld:
    """Return a world of real callers, whose beats leave a client of a busy machine the time to answer them."""
    return StreamWorld(folder, events_url, live_url, secret=SECRET, beat_seconds=5)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, events_url: str, live_url: str) -> Iterator[list[StreamWorld]]:
    """Two of all, on one database and one Redis."""
    with ExitStack() as stack:
        folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
        worlds = [make_world(folder, events_url, live_url) for folder in folders]
        yield [stack.enter_context(world.running()) for world in worlds]


@pytest.fixture(scope="module")
def api(settings: Settings, worlds: list[StreamWorld]) -> FlaskClient:
    """The API on the same rows."""
    app = create_app(replace(settings, rate_limits=False), sender=_Nobody(), database=worlds[0].database)
    app.testing = True
    return app.test_client()


class _Nobody:
    def send(self, hints: Any, /) -> list[Any]:
        """Send nothing: there are no workers."""
        return []


@pytest.fixture(scope="module")
def shop(api: FlaskClient) -> Holder:
    return make_client(api, "Live shop")


@pytest.fixture(scope="module")
def ann(api: FlaskClient, shop: Holder) -> Holder:
    return make_user(api, shop, "ann", permissions=ALL)


@pytest.fixture(scope="module")
def bob(api: FlaskClient, shop: Holder) -> Holder:
    return make_user(api, shop, "bob")


@pytest.fixture
def room(api: FlaskClient, ann: Holder, bob: Holder) -> str:
    return make_room(api, ann, bob)


def enter(world: StreamWorld, holder: Holder, room: str, after: str = "2") -> Talker:
    """Return a talker who hears a room from a place on, by default that of Bob's coming, and was told who is there."""
    talker = Talker(world.port, holder.key)
    topic = f"room:{room}"
    answer = talker.ask("subscribe", topics=[topic], after={topic: after})
    assert answer["success"], answer
    talker.find_present()
    return talker


def test_a_message_by_rest_is_heard_on_every_socket_and_a_socket_s_by_rest(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, bob: Holder, shop: Holder, room: str
) -> None:
    with enter(worlds[0], ann, room) as first, enter(worlds[1], bob, room) as second:
        sent = send(api, ann, room, "by rest")
        heard = [talker.until("message") for talker in (first, second)]
        assert [one["data"] for one in heard] == [sent, sent]
        assert (heard[0]["topic"], heard[0]["id"]) == (f"room:{room}", str(sent["place"]))
        said = {"room_id": room, "content": "by socket", "client_message_id": "b-1"}
        answer = second.ask_past("message", id="m", **said)
        assert (answer["id"], answer["success"], answer["is_new"]) == ("m", True, True)
        assert first.until("message")["data"] == answer["message"]
        again = second.ask_past("message", **said | {"content": "again"})
        assert (again["is_new"], again["message"]) == (False, answer["message"])
    assert [one["content"] for one in listed(api, shop, room)] == ["by socket", "by rest"]


def test_all_that_happens_is_heard_in_one_order_and_resumed_from_any_place(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, bob: Holder, shop: Holder, room: str
) -> None:
    guest = make_user(api, shop, f"guest-{room[-6:]}", permissions=ALL)
    with enter(worlds[0], ann, room) as talker:
        said = send(api, bob, room)
        api.patch(f"{MESSAGES}/{said['id']}", json={"content": "x" * 3000}, headers=bob.headers)
        api.delete(f"{MESSAGES}/{said['id']}", headers=bob.headers)
        api.post(f"{MESSAGES}/{said['id']}/restore", headers=bob.headers)
        api.post(f"{ROOMS}/{room}/join", json={}, headers=guest.headers)
        api.post(f"{ROOMS}/{room}/leave", json={}, headers=guest.headers)
        kinds = ["message", "message_updated", "message_deleted", "message_restored", "user_joined", "user_left"]
        heard = [talker.until(kind) for kind in kinds]
        assert ids(heard) == list(range(3, 9))
        assert (heard[1]["data"]["content"], heard[2]["data"]["content"]) == ("x" * 3000, None)
        assert heard[4]["data"]["user_id"] == guest.id
    for place in (0, 2, 5, 8):
        with Talker(worlds[1].port, ann.key) as talker:
            topic = f"room:{room}"
            talker.ask("subscribe", topics=[topic], after={topic: place})
            rest = [talker.until(*kinds) for _ in range(8 - place)]
            assert ids(rest) == list(range(place + 1, 9))
            assert talker.ask_past("ping")["type"] == "pong"


def test_a_message_with_meta_or_a_long_one_comes_whole(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, bob: Holder, room: str
) -> None:
    with enter(worlds[0], bob, room) as talker:
        for fields in (
            {"content": "é" * 10_000},
            {"message_type": "image", "meta": {"url": "https://shop.example/a.png"}},
            {"content": "<script>"},
        ):
            sent = send(api, ann, room, **fields)
            assert talker.until("message")["data"] == sent


def test_typing_is_told_to_the_others_and_to_nobody_else(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, bob: Holder, room: str
) -> None:
    with enter(worlds[0], ann, room) as first, enter(worlds[1], bob, room) as second:
        second.say("typing", room_id=room, is_typing=True)
        told = first.until("typing")
        assert (told["id"], told["topic"]) == (None, f"room:{room}")
        assert told["data"] == {"room_id": room, "user_id": bob.id, "user_name": "bob", "is_typing": True}
        sent = send(api, ann, room)
        assert second.until("message", "typing")["data"] == sent
        other = make_room(api, ann)
        assert second.ask_past("typing", room_id=other)["error"]["code"] == "RESOURCE_NOT_FOUND"


def test_presence_is_told_across_processes_and_a_short_absence_is_none(
    worlds: list[StreamWorld], ann: Holder, bob: Holder, room: str
) -> None:
    with enter(worlds[0], ann, room) as witness:
        with enter(worlds[1], bob, room):
            told = witness.until("presence")
            assert told["data"] == {"room_id": room, "user_id": bob.id, "status": "online"}
        with enter(worlds[0], bob, room) as again:
            assert again.ask_past("ping")["type"] == "pong"
            began = time.monotonic()
        told = witness.until("presence")
        assert told["data"] == {"room_id": room, "user_id": bob.id, "status": "offline"}
        assert time.monotonic() - began > 3


def test_what_is_for_one_user_alone_is_heard_by_them_alone_and_it_is_known_that_they_listen(
    worlds: list[StreamWorld], ann: Holder, bob: Holder, shop: Holder, live_url: str
) -> None:
    topic, listeners = f"user:{ann.id}", Listeners(open_redis(live_url))
    for stranger in (bob, shop):
        with Talker(worlds[0].port, stranger.key) as talker:
            answer = talker.ask("subscribe", topics=[topic])
            assert answer["refused"][0]["error"]["code"] == "RESOURCE_NOT_FOUND"
    assert listeners.heard([topic, f"user:{bob.id}"]) == set()
    with Talker(worlds[0].port, ann.key) as talker:
        assert talker.ask("subscribe", topics=[topic])["success"]
        assert wait_for(lambda: listeners.heard([topic, f"user:{bob.id}"]), 20) == {topic}
        with worlds[1].database.transaction() as session:
            publish(session, topic, "notification", {"subject": "Parcel"})
        assert talker.until("notification")["data"] == {"subject": "Parcel"}


def test_a_room_that_is_not_open_to_somebody_cannot_be_heard(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, shop: Holder, room: str
) -> None:
    rival = make_client(api, f"Rival {room[-6:]}")
    blind = make_user(api, shop, f"blind-{room[-6:]}", permissions=["send_messages", "join_rooms"])
    mute = make_user(api, shop, f"mute-{room[-6:]}", permissions=["read_messages", "join_rooms"])
    for member in (blind, mute):
        api.post(f"{ROOMS}/{room}/join", json={}, headers=member.headers)
    with Talker(worlds[0].port, mute.key) as talker:
        said = talker.ask("message", room_id=room, content="x")
        assert said["error"]["details"] == {"required_permission": "messages:write"}
    for stranger in (rival, make_user(api, rival), blind):
        with Talker(worlds[0].port, stranger.key) as talker:
            answer = talker.ask("subscribe", topics=[f"room:{room}"])
            assert answer["refused"][0]["error"]["code"] == "RESOURCE_NOT_FOUND"
            if stranger is not blind:
                said = talker.ask("message", room_id=room, content="x")
                assert said["error"]["code"] in ("RESOURCE_NOT_FOUND", "INSUFFICIENT_PERMISSIONS")
    with enter(worlds[0], shop, room, "4") as application:
        sent = send(api, ann, room)
        assert application.until("message")["data"] == sent


def test_who_leaves_a_room_or_loses_the_key_hears_no_more_within_five_seconds(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, shop: Holder, room: str
) -> None:
    guest = make_user(api, shop, f"leaver-{room[-6:]}", permissions=ALL)
    api.post(f"{ROOMS}/{room}/join", json={}, headers=guest.headers)
    with enter(worlds[0], guest, room, "3") as talker:
        api.post(f"{ROOMS}/{room}/leave", json={}, headers=guest.headers)
        assert talker.until("user_left")["data"]["user_id"] == guest.id
        assert talker.until("unsubscribed")["topics"] == [f"room:{room}"]
        send(api, ann, room)
        assert talker.ask_past("ping")["type"] == "pong"
        api.delete(f"/api/v1/users/{guest.id}", headers=shop.headers)
        talker.rest()
        assert talker.code == 4001


def test_what_a_client_says_is_held_to_the_form_of_a_message(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, room: str
) -> None:
    with enter(worlds[0], ann, room) as talker:
        for fields in (
            {"content": "x" * 10_001},
            {"content": ""},
            {"content": "a\0b"},
            {"content": "x", "seq": 1},
            {"content": "x", "message_type": "image", "meta": {"url": "javascript:x"}},
        ):
            answer = talker.ask_past("message", room_id=room, **fields)
            assert (answer["type"], answer["error"]["code"]) == ("message_result", "VALIDATION_ERROR"), fields
        assert talker.ask_past("message", content="x")["error"]["errors"][0]["field"] == "room_id"
        assert talker.ask_past("typing", room_id="here")["error"]["code"] == "VALIDATION_ERROR"
        talker.socket.send(json.dumps({"type": "message", "room_id": room, "content": "\ud800"}))
        assert talker.next()["error"]["code"] == "MALFORMED_REQUEST"
        wrapped = talker.ask_past("message", data={"room_id": room, "content": "in an envelope"})
        assert wrapped["message"]["content"] == "in an envelope"
    assert [one["content"] for one in listed(api, ann, room)] == ["in an envelope"]


def test_a_stopping_process_says_so_and_nothing_is_missed(
    api: FlaskClient, tmp_path: Path, events_url: str, live_url: str, ann: Holder, bob: Holder, room: str
) -> None:
    topic = f"room:{room}"
    with make_world(tmp_path, events_url, live_url).running() as world:
        with enter(world, bob, room) as talker:
            send(api, ann, room)
            talker.until("message")
            world.stop()
            shutdown, closing = talker.until("server.shutdown"), talker.until("closing")
            assert shutdown["reconnect_after_ms"] == closing["retry_after_ms"]
            assert closing["after"] == {topic: "3"}
        send(api, ann, room)
        world.start()
        with enter(world, bob, room, closing["after"][topic]) as talker:
            assert talker.until("message")["id"] == "4"
            world.stop(signal.SIGKILL)
        send(api, ann, room)
        world.start()
        with enter(world, bob, room, "4") as talker:
            assert talker.until("message")["id"] == "5"


def test_a_room_is_heard_by_server_sent_events_too(
    api: FlaskClient, worlds: list[StreamWorld], ann: Holder, room: str
) -> None:
    with worlds[0].listen(f"room:{room}", "2") as client:
        sent = [send(api, ann, room, f"{number}") for number in range(3)]
        heard = client.take(3)
    assert [event.id for event in heard] == ["3", "4", "5"]
    assert [event.data["data"] for event in heard] == sent
