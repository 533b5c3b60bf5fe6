"""Every route says who may call it and is in the document with its refusals."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app.http import Blueprint
from app.identity import PERMISSIONS
from tests.contract.who_may import WHO_MAY
from tests.support.contract import contract_of

FRAMEWORK = {"static"}


def operations(app: Flask) -> dict[str, Any]:
    return {
        f"{method} {rule.rule}": blueprint.operations[rule.endpoint.rpartition(".")[2], method]
        for rule in app.url_map.iter_rules()
        if isinstance(blueprint := app.blueprints.get(rule.endpoint.partition(".")[0]), Blueprint)
        for method in sorted(rule.methods or ())
        if (rule.endpoint.rpartition(".")[2], method) in blueprint.operations
    }


def test_every_route_is_an_operation_of_the_frame(app: Flask) -> None:
    strangers = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in FRAMEWORK
        and not isinstance(app.blueprints.get(rule.endpoint.partition(".")[0]), Blueprint)
    ]
    assert strangers == []


def test_every_route_names_a_known_permission_or_is_public(app: Flask) -> None:
    found = operations(app)
    assert len(found) > 40
    unknown = {
        name: operation.guard.permission
        for name, operation in found.items()
        if not operation.guard.public and operation.guard.permission and operation.guard.permission not in PERMISSIONS
    }
    assert unknown == {}


def test_the_public_routes_are_these_and_no_others(app: Flask) -> None:
    public = {name for name, operation in operations(app).items() if operation.guard.public and "/api/v1" in name}
    assert public == {
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
        "POST /api/v1/auth/logout",
        "POST /api/v1/auth/mfa/challenge",
        "GET /api/v1/auth/<provider>",
        "POST /api/v1/auth/<provider>",
        "GET /api/v1/auth/<provider>/callback",
        "POST /api/v1/auth/login/<provider>",
        "POST /api/v1/auth/verify-email",
        "POST /api/v1/auth/forgot-password",
        "POST /api/v1/auth/reset-password",
        "POST /api/v1/clients",
        "POST /api/v1/runner/register",
        "GET /api/v1/unsubscribe/<uuid:recipient_id>/<mark>",
        "POST /api/v1/unsubscribe/<uuid:recipient_id>/<mark>",
        "POST /api/v1/notifications/callbacks/<uuid:provider_id>",
        "GET /api/v1/changelog",
        "GET /api/v1/schemas/pipeline.json",
        "GET /api/v1/pipelines/<uuid:pipeline_id>/badge.svg",
        "POST /api/v1/webhooks/github",
        "POST /api/v1/webhooks/gitlab",
        "POST /api/v1/webhooks/gitea",
        "GET /api/v1/websocket/open",
    }


def test_every_operation_says_who_may_call_it_and_is_tried_by_those_who_may_not(app: Flask) -> None:
    """A new route has its line in tests/contract/who_may.py; what it needs is made in tests/support/world.py."""
    document = contract_of(app).document
    methods = {"get", "post", "put", "patch", "delete"}
    described = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in methods.intersection(item)
    }
    assert described == set(WHO_MAY)
