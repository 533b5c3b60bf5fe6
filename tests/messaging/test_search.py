"""Search: ranked, and only in the rooms the caller is in."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import data_of
from tests.support.rooms import ALL, MESSAGES, make_room, send


def found(client: FlaskClient, by: Holder, query: str) -> list[str]:
    messages: list[Any] = data_of(client.get(f"{MESSAGES}/search?{query}", headers=by.headers))
    return [one["content"] for one in messages]


def test_the_best_match_comes_first(client: FlaskClient, ann: Holder, room: str) -> None:
    for content in ("the invoice of May, and much else that is said beside it", "Invoice! Your invoice.", "the bill"):
        send(client, ann, room, content)
    best = ["Invoice! Your invoice.", "the invoice of May, and much else that is said beside it"]
    assert found(client, ann, "q=INVOICE") == best
    assert found(client, ann, "q=invoice -may") == best[:1]
    assert found(client, ann, 'q="of may"') == best[1:]
    assert found(client, ann, "q=bill or may&sort=created_at") == [best[1], "the bill"]
    pages = client.get(f"{MESSAGES}/search?q=invoice&limit=1", headers=ann.headers).get_json()
    cursor = pages["meta"]["pagination"]["next_cursor"]
    assert found(client, ann, f"q=invoice&limit=1&cursor={cursor}") == best[1:]


def test_a_search_stays_in_the_rooms_of_the_caller(
    client: FlaskClient, shop: Holder, ann: Holder, bob: Holder, cleo: Holder, room: str
) -> None:
    send(client, ann, room, "treasure here")
    hidden = make_room(client, cleo)
    send(client, cleo, hidden, "treasure there")
    rival = make_client(client, "Rival")
    send(client, rival, make_room(client, rival), "treasure of others")
    eve = make_user(client, rival, "eve", permissions=ALL)
    assert found(client, bob, "q=treasure") == ["treasure here"]
    assert found(client, bob, f"q=treasure&room_ids={hidden}") == []
    assert found(client, shop, "q=treasure&sort=created_at") == ["treasure here", "treasure there"]
    assert found(client, shop, f"q=treasure&room_ids={hidden}") == ["treasure there"]
    assert found(client, eve, f"q=treasure&room_ids={room}") == []
    client.post(f"/api/v1/rooms/{room}/leave", json={}, headers=bob.headers)
    assert found(client, bob, "q=treasure") == []


def test_a_search_is_narrowed(client: FlaskClient, ann: Holder, bob: Holder, room: str) -> None:
    send(client, ann, room, "plan a")
    send(client, bob, room, "plan b @ann")
    send(client, bob, room, "plan c", message_type="file", meta={"url": "https://shop.example/c", "name": "c.txt"})
    for query, expected in (
        (f"sender_ids={ann.id}", ["plan a"]),
        ("message_types=text,image", ["plan a", "plan b @ann"]),
        ("has_mentions=true", ["plan b @ann"]),
        ("has_attachments=true", ["plan c"]),
        ("has_attachments=false&has_mentions=false", ["plan a"]),
        ("end_date=2020-01-01", []),
    ):
        assert found(client, ann, f"q=plan&sort=created_at&{query}") == expected, query


def test_what_is_no_search_is_refused_or_finds_nothing(client: FlaskClient, ann: Holder, room: str) -> None:
    send(client, ann, room)
    for query in ("", "q=", f"q={'x' * 201}", "q=x&room_ids=1", "q=x&sort=seq", "q=x&unknown=1", "q=a%00b"):
        assert client.get(f"{MESSAGES}/search?{query}", headers=ann.headers).status_code == 422, query
    for query in ("q=-", "q=''); DROP TABLE messages;--", "q=!!%26|()*:", "q=%22", "q=%F0%9F%92%A9"):
        assert found(client, ann, query) == [], query
