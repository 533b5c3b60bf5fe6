"""Bodies and queries: what is read, and how what cannot be read is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

JSON = "application/json"


def post(client: FlaskClient, body: Any, content_type: str = JSON) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return client.post("/api/v1/gadgets", data=data, content_type=content_type)


def fields(reply: Any) -> list[str]:
    assert (reply.status_code, reply.json["error"]["code"]) == (422, "VALIDATION_ERROR")
    return [fault["field"] for fault in reply.json["error"]["errors"]]


def test_a_good_body_is_read(alice: FlaskClient):
    reply = post(alice, {"name": "bell", "size": 4, "parts": [{"name": "clapper"}], "anything": {"a": [1]}})
    assert (reply.status_code, reply.json["data"]["name"], reply.json["data"]["size"]) == (201, "bell", 4)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.api+json"])
def test_json_by_another_name_is_json(alice: FlaskClient, content_type: str):
    assert post(alice, {"name": "bell"}, content_type).status_code == 201


@pytest.mark.parametrize(
    "body",
    [b"{", b"nothing", b'{"name": "\xff"}', b'{"name": NaN}', b'{"name": "\\ud800"}', b"[]", b"5", b"null", b'"x"'],
)
def test_what_is_no_json_object_is_malformed(alice: FlaskClient, body: bytes):
    reply = post(alice, body)
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("depth", [65, 300, 5000, 100_000])
@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_what_is_nested_without_end_is_malformed(alice: FlaskClient, depth: int, pair: str):
    opening, closing = (pair[:-1], pair[-1])
    body = '{"name": "x", "anything": {"a": ' + opening * depth + "1" + closing * depth + "}}"
    assert post(alice, body.encode()).status_code == 400


def test_what_is_nested_but_not_deep_is_read(alice: FlaskClient):
    body = {"name": "x", "anything": {str(number): [[]] for number in range(500)}}
    assert post(alice, body).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/yaml", ""])
def test_another_type_of_body_is_refused(alice: FlaskClient, content_type: str):
    reply = post(alice, {"name": "x"}, content_type)
    assert (reply.status_code, reply.json["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_no_body_reads_as_an_empty_object(alice: FlaskClient):
    assert fields(alice.post("/api/v1/gadgets")) == ["name"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x", "color": "red"}, "color"),
        ({"name": "x", "size": "4"}, "size"),
        ({"name": "x", "size": 4.5}, "size"),
        ({"name": "x", "size": 10**30}, "size"),
        ({"name": "x", "shiny": "yes"}, "shiny"),
        ({"name": "x", "shiny": 1.5}, "shiny"),
        ({"name": "x", "parts": {}}, "parts"),
        ({"name": "x", "parts": [{"name": "a"}, {}]}, "parts.1.name"),
        ({"name": "x", "parts": [5]}, "parts.0"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x", "anything": {"deep": ["ok", "\0"]}}, "anything.deep.1"),
        ({"name": "x", "anything": {"\0": 1}}, "anything.name"),
    ],
)
def test_each_fault_names_its_field(alice: FlaskClient, body: dict[str, Any], field: str):
    assert fields(post(alice, body)) == [field]


def test_a_number_the_database_has_no_room_for_is_refused(alice: FlaskClient):
    assert post(alice, {"name": "x", "size": 2**40}).status_code == 422


def test_all_faults_are_named_at_once(alice: FlaskClient):
    assert set(fields(post(alice, {"size": "x", "shiny": 7, "more": 1}))) == {"name", "size", "shiny", "more"}


def test_the_caller_is_known_before_the_body_is_read(anyone: FlaskClient):
    assert post(anyone, b"{").status_code == 401


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("color=red", "color"),
        ("larger_than=many", "larger_than"),
        ("larger_than=5.5", "larger_than"),
        ("larger_than=" + "9" * 40, "larger_than"),
        ("big=perhaps", "big"),
        ("name=a&name=b", "name"),
        ("name=%00", "name"),
        ("sizes=1,two", "sizes.1"),
    ],
)
def test_a_query_that_is_not_documented_is_refused(alice: FlaskClient, query: str, field: str):
    assert fields(alice.get(f"/api/v1/gadgets?{query}")) == [field]


@pytest.mark.parametrize("query", ["big=true", "big=0", "larger_than=-5", "sizes=1,2", "sizes=1&sizes=2", "name=%ff"])
def test_a_query_is_read_by_its_schema(alice: FlaskClient, query: str):
    assert alice.get(f"/api/v1/gadgets?{query}").status_code == 200
