"""What is no message, or goes with none, is refused; what looks dangerous is stored as it was said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.http import parse_limits
from app.kernel.errors import RateLimited
from app.kernel.principal import Principal
from config.settings import Settings
from tests.support.clients import Holder
from tests.support.identity import data_of, error_of
from tests.support.rooms import MESSAGES, listed, send
from workers.stream import limit_messages

IMAGE = {"url": "https://shop.example/a.png", "width": 10, "height": 20, "alt": "a"}
FILE = {"url": "https://shop.example/a", "name": "a.txt", "size": 1, "mime": "text/plain"}


def test_a_message_of_ten_thousand_characters_is_the_longest(client: FlaskClient, ann: Holder, room: str) -> None:
    longest = "é" * 10_000
    assert send(client, ann, room, longest)["content"] == longest
    reply = client.post(MESSAGES, json={"room_id": room, "content": longest + "x"}, headers=ann.headers)
    assert error_of(reply, 422)["errors"][0]["field"] == "content"
    assert len(listed(client, ann, room)) == 1


@pytest.mark.parametrize(
    "content", ["<script>alert(1)</script>", "'; DROP TABLE messages;--", "a\u202eb", "😀\u200d", "\x1b[31m"]
)
def test_content_is_stored_as_it_was_said(client: FlaskClient, ann: Holder, room: str, content: str) -> None:
    assert send(client, ann, room, content)["content"] == content
    assert listed(client, ann, room)[0]["content"] == content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"room_id": "%s", "content": "\\ud800"}', 400),
        (b'{"room_id": "%s", "content": "\xed\xa0\x80"}', 400),
        (b'{"room_id": "%s", "content": "a\\u0000b"}', 422),
        (b'{"room_id": "%s", "content": "x", "meta": {"a": "\\u0000"}}', 422),
        (b'{"room_id": "%s", "content": "x"', 400),
    ],
)
def test_texts_that_are_none_are_refused(client: FlaskClient, ann: Holder, room: str, body: bytes, status: int) -> None:
    headers = {**ann.headers, "Content-Type": "application/json"}
    reply = client.post(MESSAGES, data=body.replace(b"%s", room.encode()), headers=headers)
    assert reply.status_code == status
    assert listed(client, ann, room) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content", ""),
        ("content", " \n"),
        ("content", 5),
        ("content", None),
        ("message_type", "script"),
        ("meta", []),
        ("meta", {"x": "y" * 20_000}),
        ("mentions", ["nobody"]),
        ("client_message_id", ""),
        ("client_message_id", "a b"),
        ("client_message_id", "x" * 129),
        ("client_message_id", "é"),
        ("seq", 7),
        ("created_at", "2020-01-01T00:00:00Z"),
    ],
)
def test_what_is_no_message_is_refused(client: FlaskClient, ann: Holder, room: str, field: str, value: Any) -> None:
    body = {"room_id": room, "content": "x", field: value}
    refused = error_of(client.post(MESSAGES, json=body, headers=ann.headers), 422)
    assert refused["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize(
    ("kind", "meta"),
    [
        ("image", IMAGE),
        ("file", FILE),
        ("document", FILE),
        ("video", {**IMAGE, "duration": 1.5}),
        ("audio", {"url": "http://shop.example/a", "duration": 3}),
        ("custom", {"poll": ["a", "b"], "deep": {"x": [1]}}),
        ("text", {"format": "markdown"}),
    ],
)
def test_each_type_has_its_meta(client: FlaskClient, ann: Holder, room: str, kind: str, meta: Any) -> None:
    said = send(client, ann, room, message_type=kind, meta=meta)
    assert (said["message_type"], said["meta"]) == (kind, meta)


@pytest.mark.parametrize(
    ("kind", "meta"),
    [
        ("image", {}),
        ("image", {"url": "javascript:alert(1)"}),
        ("image", {"url": "https://x.example/ a"}),
        ("image", {**IMAGE, "width": 0}),
        ("image", {**IMAGE, "onload": "x"}),
        ("file", {"url": "https://x.example/a"}),
        ("file", {**FILE, "size": -1}),
        ("file", {**FILE, "mime": "text"}),
        ("audio", {"url": "data:audio/mp3;base64,"}),
    ],
)
def test_meta_of_another_form_is_refused(client: FlaskClient, ann: Holder, room: str, kind: str, meta: Any) -> None:
    body = {"room_id": room, "content": "x", "message_type": kind, "meta": meta}
    refused = error_of(client.post(MESSAGES, json=body, headers=ann.headers), 422)
    assert refused["errors"][0]["field"].startswith("meta")
    said = send(client, ann, room, message_type="image", meta=IMAGE)
    if kind == "image":
        reply = client.patch(f"{MESSAGES}/{said['id']}", json={"meta": meta}, headers=ann.headers)
        assert error_of(reply, 422)["errors"][0]["field"].startswith("meta")


def test_messages_are_limited_by_caller(
    client: FlaskClient, app: Flask, ann: Holder, bob: Holder, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = app.extensions["headrace"]
    monkeypatch.setattr(parts, "limited", True)
    monkeypatch.setattr(parts, "limits", {**parts.limits, "message": parts.limits["register"]})
    for _ in range(3):
        send(client, ann, room)
    reply = client.post(MESSAGES, json={"room_id": room, "content": "x"}, headers=ann.headers)
    assert error_of(reply, 429)["details"]["limit"] == 3
    assert send(client, bob, room)["seq"] == 4
    assert data_of(client.get(f"{MESSAGES}?room_id={room}", headers=ann.headers))[0]["seq"] == 4


def test_messages_by_socket_and_by_api_are_counted_together(
    client: FlaskClient, app: Flask, settings: Settings, ann: Holder, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, few = app.extensions["headrace"], "2/hour"
    monkeypatch.setattr(parts, "limited", True)
    monkeypatch.setattr(parts, "limits", {**parts.limits, "message": parse_limits(few)})
    count, caller = limit_messages(replace(settings, rate_limit_message=few)), Principal(UUID(ann.id), "ann")
    send(client, ann, room)
    count(caller)
    assert client.post(MESSAGES, json={"room_id": room, "content": "x"}, headers=ann.headers).status_code == 429
    with pytest.raises(RateLimited) as refused:
        count(caller)
    assert refused.value.details["limit"] == 2
