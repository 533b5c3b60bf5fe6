"""The published document: valid, complete, and shown without the network."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.http import Blueprint
from app.http.operations import Operation
from tests.support.contract import Undocumented, contract_of


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").get_json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    methods = ("get", "post", "put", "patch", "delete")
    return [
        (f"{method.upper()} {path}", described[method])
        for path, described in document["paths"].items()
        for method in methods
        if method in described
    ]


def declared(app: Flask) -> dict[str, Operation]:
    found = {}
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, Blueprint):
            for (endpoint, method), operation in blueprint.operations.items():
                found[f"{method} {blueprint.name}.{endpoint}"] = operation
    return found


def test_the_document_is_a_valid_openapi_3_1(document: dict[str, Any]):
    assert document["openapi"] == "3.1.0"
    assert [str(fault) for fault in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_of_the_application_is_documented(app: Flask, document: dict[str, Any]):
    served = {
        re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
    }
    assert served == set(document["paths"])


def test_every_operation_says_what_it_does_and_under_which_heading(document: dict[str, Any]):
    headings = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(headings.values())
    for name, operation in operations(document):
        assert operation["summary"], name
        assert set(operation["tags"]) <= set(headings), name


def test_every_operation_has_a_name_of_its_own_for_generated_clients(document: dict[str, Any]):
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*_[A-Za-z]+_[a-z]+", name) for name in names)


def test_every_operation_says_which_permission_it_needs(document: dict[str, Any]):
    assert document["paths"]["/api/v1/jobs"]["get"]["description"] == "Needs the permission `jobs:read`."


def test_every_operation_documents_its_refusals(document: dict[str, Any]):
    for name, operation in operations(document):
        statuses = set(operation["responses"])
        assert {"404", "406", "500", "503"} <= statuses, name
        assert any(status < "400" for status in statuses), name
        if "security" in operation:
            assert {"401", "403", "429"} <= statuses, name


def test_every_answer_in_json_is_documented_in_its_envelope(document: dict[str, Any]):
    bare = {
        name
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status.startswith("2") and "application/json" in answer.get("content", {})
        if set(answer["content"]["application/json"]["schema"].get("required", [])) != {"data", "meta"}
    }
    assert bare <= {"GET /openapi.json", "GET /.well-known/jwks.json"}


def test_a_post_takes_an_idempotency_key_unless_it_is_public(document: dict[str, Any]):
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    for name, operation in operations(document):
        wanted = name.startswith("POST") and "security" in operation
        assert (key in operation.get("parameters", [])) is wanted, name


def test_every_operation_that_returns_data_says_its_form(app: Flask):
    formless = {
        name
        for name, operation in declared(app).items()
        if operation.declared.schema is None
        and operation.declared.form is None
        and operation.declared.raw is None
        and operation.declared.status not in (101, 204, 302)
    }
    assert formless == set()


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_document_is_shown_without_the_network(client: FlaskClient, page: str):
    reply = client.get(page)
    assert (reply.status_code, reply.mimetype) == (200, "text/html")
    assert "://" not in reply.text
    for asset in re.findall(r'(?:src|href)="([^":]+)"', reply.text):
        assert client.get(f"/{asset}").status_code == 200, asset
    assert "script-src 'self'" in reply.headers["Content-Security-Policy"]


def test_the_front_door_leads_to_the_documents(client: FlaskClient):
    reply = client.get("/")
    assert (reply.status_code, reply.headers["Location"]) == (307, "/docs")


def test_a_reply_that_is_not_promised_fails_the_test_that_got_it(app: Flask, anyone: FlaskClient):
    contract = contract_of(anyone.application)
    reply = anyone.get("/health/live")
    promised = contract.document["paths"]["/health/live"]["get"]["responses"]
    contract.check(reply)
    kept = promised.pop("200")
    try:
        with pytest.raises(Undocumented, match="status is not documented"):
            contract.check(reply)
    finally:
        promised["200"] = kept
    reply.headers.pop("X-Request-ID")
    with pytest.raises(Undocumented, match="X-Request-ID"):
        contract.check(reply)


def test_a_reply_of_another_form_fails_the_test_that_got_it(anyone: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.http.system.report", lambda _: {"status": "splendid", "checks": []})
    with pytest.raises(Undocumented, match="splendid"):
        anyone.get("/health/live")
