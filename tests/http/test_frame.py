"""What every reply has, whatever the route: the envelope, the one error shape, ids, and headers."""

from __future__ import annotations

import dataclasses
import logging
import re

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient

from app.http import Platform, make_api
from app.kernel.principal import Principal
from app.kernel.version import VERSION
from tests.support import toy_room
from tests.support.toy_room import CALLERS

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_data_comes_in_an_envelope_that_says_what_answered(anyone: FlaskClient):
    reply = anyone.get("/health/live")
    assert reply.status_code == 200
    assert reply.json["data"]["status"] == "healthy"
    assert reply.json["meta"]["request_id"] == reply.headers["X-Request-ID"]
    assert reply.json["meta"]["version"] == VERSION
    assert MOMENT.fullmatch(reply.json["meta"]["timestamp"])


def test_a_plain_request_id_is_taken_over(anyone: FlaskClient):
    assert anyone.get("/health/live", headers={"X-Request-ID": "trace-7.f:2"}).headers["X-Request-ID"] == "trace-7.f:2"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "<script>", "é"])
def test_a_request_id_that_is_no_plain_token_is_replaced(anyone: FlaskClient, given: str):
    reply = anyone.get("/health/live", headers={"X-Request-ID": given})
    assert re.fullmatch(r"req_[0-9a-f]{24}", reply.headers["X-Request-ID"])


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v1/gadgets/", "/api/v1//gadgets", "/api/v1/a%00b"]
)
def test_an_unknown_path_is_not_found_in_the_one_shape(anyone: FlaskClient, path: str):
    reply = anyone.get(path)
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize("junk", ["7", "not-a-uuid", "0190b5a0-7b1c-7000-8000-00000000000g", "%00", "%ff%fe"])
def test_an_id_that_is_no_uuid_is_not_found(alice: FlaskClient, junk: str):
    reply = alice.get(f"/api/v1/gadgets/{junk}")
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


def test_a_method_a_path_does_not_know_is_refused_with_those_it_knows(anyone: FlaskClient):
    reply = anyone.put("/api/v1/gadgets")
    assert (reply.status_code, reply.json["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_caller_without_a_login_is_told_how_to_get_in(anyone: FlaskClient):
    reply = anyone.get("/api/v1/gadgets")
    assert (reply.status_code, reply.json["error"]["code"]) == (401, "AUTH_REQUIRED")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="headrace"'


@pytest.mark.parametrize("accept", ["text/html", "image/png, text/*;q=0.5"])
def test_a_form_this_does_not_speak_is_not_acceptable(anyone: FlaskClient, accept: str):
    reply = anyone.get("/health/live", headers={"Accept": accept})
    assert (reply.status_code, reply.json["error"]["code"]) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*", "text/html, */*;q=0.1", ""])
def test_json_is_what_nearly_everyone_accepts(anyone: FlaskClient, accept: str):
    assert anyone.get("/health/live", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("accept", ["image/svg+xml", "image/*", "*/*", "application/json"])
def test_what_is_not_json_goes_out_as_it_is(anyone: FlaskClient, accept: str):
    reply = anyone.get("/api/v1/badge", headers={"Accept": accept})
    assert (reply.status_code, reply.mimetype, reply.data) == (200, "image/svg+xml", b"<svg/>")


def test_a_refusal_comes_as_a_problem_for_those_who_ask(anyone: FlaskClient):
    reply = anyone.get("/api/v1/nothing", headers={"Accept": "application/problem+json"})
    assert reply.mimetype == "application/problem+json"
    assert reply.json == {
        "type": "urn:headrace:problem:resource_not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this path.",
        "instance": "/api/v1/nothing",
        "code": "RESOURCE_NOT_FOUND",
        "details": {},
        "request_id": reply.headers["X-Request-ID"],
    }


def test_a_problem_names_the_fields_too(alice: FlaskClient):
    reply = alice.post("/api/v1/gadgets", json={}, headers={"Accept": "application/problem+json"})
    assert reply.json["errors"] == [{"field": "name", "message": "Missing data for required field."}]


def test_a_bug_is_logged_with_the_request_id_and_not_shown(anyone: FlaskClient, caplog: pytest.LogCaptureFixture):
    reply = anyone.get("/api/v1/failures/bug")
    assert (reply.status_code, reply.json["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert b"hunter2" not in reply.data
    logged = caplog.records[-1]
    assert logged.levelno == logging.ERROR
    assert reply.headers["X-Request-ID"] in logged.getMessage()
    assert logged.exc_info


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("transient", 503, "SERVICE_UNAVAILABLE"),
        ("permanent", 500, "INTERNAL_ERROR"),
        ("range", 422, "VALIDATION_ERROR"),
        ("doubled", 409, "RESOURCE_ALREADY_EXISTS"),
        ("slow", 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_every_failure_has_its_status(anyone: FlaskClient, kind: str, status: int, code: str):
    reply = anyone.get(f"/api/v1/failures/{kind}")
    assert (reply.status_code, reply.json["error"]["code"]) == (status, code)
    if status == 503:
        assert int(reply.headers["Retry-After"]) > 0


def test_every_reply_is_guarded_against_misuse_by_a_browser(anyone: FlaskClient):
    for path in ("/health/live", "/nothing", "/docs"):
        headers = anyone.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers


def test_pages_of_other_origins_may_not_read_replies(anyone: FlaskClient):
    reply = anyone.get("/health/live", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert "Origin" in reply.headers["Vary"]


def test_pages_of_the_chosen_origins_may(anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "cors_origins", frozenset({"https://console.example"}))
    asked = {"Origin": "https://console.example", "Access-Control-Request-Method": "POST"}
    preflight = anyone.options("/api/v1/gadgets", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://console.example"
    assert preflight.headers["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    refused = anyone.get("/api/v1/gadgets", headers=asked)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://console.example"


def test_all_origins_may_when_told_so_but_without_cookies(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parts, "cors_origins", frozenset({"*"}))
    headers = anyone.get("/health/live", headers={"Origin": "https://any.example"}).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers


def test_head_answers_as_get_without_a_body(anyone: FlaskClient):
    reply = anyone.head("/health/live")
    assert (reply.status_code, reply.data) == (200, b"")


def test_a_route_that_says_nothing_of_its_callers_is_not_served(toy: Flask):
    from flask.views import MethodView

    from app.http import Blueprint

    class Open(MethodView):
        def get(self) -> None: ...

    with pytest.raises(TypeError, match="neither @requires nor @public"):
        Blueprint("hole").route("/hole")(Open)


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "192.0.2.2"), (2, "192.0.2.1")])
def test_forwarded_addresses_are_believed_of_as_many_proxies_as_are_there(parts: Platform, proxies: int, seen: str):
    addresses: list[str | None] = []

    def note_address(request: Request) -> Principal:
        addresses.append(request.remote_addr)
        return CALLERS["admin"]

    changed = dataclasses.replace(parts, trusted_proxies=proxies, authenticate=note_address, checks=[])
    client = make_api(changed, [toy_room.blueprint]).test_client()
    client.get("/api/v1/workshop", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1, 192.0.2.2"})
    assert addresses == [seen]
