"""The operations of the published document, each with a body that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app.http import Blueprint
from tests.contract.who_may import WHO_MAY
from tests.support.contract import contract_of
from tests.support.identity import PASSWORD
from tests.support.notifications import SERVER
from tests.support.world import DEFINITION, World

QUERIES = {
    "GET /api/v1/events": "?topics=job:{job_id}",
    "GET /api/v1/messages": "?room_id={room_id}",
    "GET /api/v1/messages/search": "?q=canary",
    "PUT /api/v1/rooms/{room_id}/attachments/{attachment_id}": "?name=canary",
    "GET /api/v1/rooms/{room_id}/unread": "?user_id={user_id}",
    "GET /api/v1/metrics/timeseries": "?name=world&organization_id={organization_id}",
    "GET /api/v1/metrics/query": "?query=world&organization_id={organization_id}",
    "GET /api/v1/metrics/series": "?organization_id={organization_id}",
    "GET /api/v1/metrics/summary": "?organization_id={organization_id}",
    "GET /api/v1/sre/insights/overview": "?organization_id={organization_id}",
    "GET /api/v1/sre/forecasts": "?organization_id={organization_id}",
    "POST /api/v1/alerts/ingest": "?organization_id={organization_id}",
    "GET /api/v1/clients/email-providers": "?organization_id={organization_id}",
    "GET /api/v1/notifications/analytics": "?organization_id={organization_id}",
    "PUT /api/v1/notifications/attachments/{file_id}": "?filename=a.txt&organization_id={organization_id}",
}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Call:
    """An operation, ready to be called in the world."""

    name: str
    method: str
    path: str
    body: Any
    kind: str
    permission: str | None

    @property
    def is_reading(self) -> bool:
        return self.method == "get"


def find_calls(app: Flask, world: World) -> list[Call]:
    """Return all operations of the document; raises KeyError for one that nobody has said who may call."""
    return list(_find(app, world))


def _find(app: Flask, world: World) -> Iterator[Call]:
    document, permissions = contract_of(app).document, _permissions(app)
    bodies = _bodies(world)
    for template, item in document["paths"].items():
        for method in (one for one in METHODS if one in item):
            name = f"{method.upper()} {template}"
            path = world.fill(template + QUERIES.get(name, ""))
            body = bodies.get(name, _example_of(document, item[method]))
            yield Call(name, method, path, body, WHO_MAY[name], permissions[item[method]["operationId"]])


def _permissions(app: Flask) -> dict[str, str | None]:
    blueprints = [one for one in app.blueprints.values() if isinstance(one, Blueprint)]
    return {
        f"{blueprint.name.replace('-', '')}_{endpoint}_{method.lower()}": operation.guard.permission
        for blueprint in blueprints
        for (endpoint, method), operation in blueprint.operations.items()
    }


def _bodies(world: World) -> dict[str, Any]:
    """Return the bodies that cannot be read off the document, because they name things of the world."""
    organization = {"organization_id": world.values["organization_id"]}
    scope = {"type": "organization", "id": world.values["organization_id"]}
    ann, room = {"user_id": world.ann.id}, "/api/v1/rooms/{room_id}"
    return {
        **_bodies_of_watching(organization),
        **_bodies_of_notifications(organization),
        **{f"POST {room}/{act}": ann for act in ("join", "leave", "read", "members")},
        "POST /api/v1/sre/recommendations/generate": {"cluster_id": world.values["cluster_id"]},
        "POST /api/v1/messages": {"room_id": world.values["room_id"], "content": "canary"},
        # Any bytes are a file; one that has come already is the same one.
        f"PUT {room}/attachments/{{attachment_id}}": {"bytes": "canary"},
        "POST /api/v1/roles": {"name": "new", "permissions": ["jobs:read"], **organization},
        "POST /api/v1/workspaces": {"name": "New", **organization},
        "POST /api/v1/clusters": {"name": "new", "server": "https://kube.example.com", "token": "t", **organization},
        "POST /api/v1/webhooks": {"url": "https://shop.example.com/hook", "events": ["*"], **organization},
        "POST /api/v1/users/{user_id}/roles": {"role_id": world.values["role_id"], "scope": scope},
        "POST /api/v1/workspaces/{workspace_id}/members": {"user_id": str(world.alice.user.id), "role": "viewer"},
        "POST /api/v1/workspaces/{workspace_id}/projects/{project_id}/members": {
            "user_id": str(world.alice.user.id),
            "role": "viewer",
        },
        "POST /api/v1/workspaces/{workspace_id}/pipelines": DEFINITION | {"name": "new"},
        "PUT /api/v1/pipelines/{pipeline_id}": DEFINITION,
        "PATCH /api/v1/pipelines/{pipeline_id}": {"description": "new"},
        "POST /api/v1/pipelines/validate": DEFINITION,
        "POST /api/v1/auth/mfa/enable": {"current_password": PASSWORD},
        "POST /api/v1/users/login": {"email": world.ann.said["email"]},
        "PUT /api/v1/users/me": {"email": "alice@example.com", "display_name": "Alice"},
        "PATCH /api/v1/users/me": {"display_name": "Alice"},
        "PATCH /api/v1/admin/users/{user_id}/role": {"role": "admin"},
        "POST /api/v1/jobs/bulk": {"action": "cancel", "all": True, "dry_run": True},
    }


def _bodies_of_watching(organization: dict[str, Any]) -> dict[str, Any]:
    series = {"name": "world", "points": [[1767225600.0, 1.0]]}
    rule = {"name": "new", "query": "world"}
    silence = {"matchers": [{"label": "pod", "value": "web"}], "comment": "new disks"}
    silence |= {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}
    schedule = {"name": "new", "series": ["world"], "interval_seconds": 60}
    source = {"name": "new", "url": "https://prometheus.example.com", "queries": [{"query": "up"}]}
    return {
        "POST /api/v1/metric-sources": source | organization,
        "PUT /api/v1/metric-sources/{source_id}": source,
        "PATCH /api/v1/metric-sources/{source_id}": {"enabled": False},
        "POST /api/v1/metrics/collect": organization,
        "POST /api/v1/metrics/write": {"series": [series], **organization},
        "POST /api/v1/sre/scans": {"series": ["world"], **organization},
        "POST /api/v1/sre/scan-schedules": schedule | organization,
        "PATCH /api/v1/sre/recommendations/{recommendation_id}": {"status": "dismissed", "reason": "wrong"},
        "PUT /api/v1/sre/scan-schedules/{schedule_id}": schedule,
        "PATCH /api/v1/sre/scan-schedules/{schedule_id}": {"enabled": False},
        "PATCH /api/v1/sre/problems/{problem_id}": {"status": "investigating"},
        "POST /api/v1/alert-rules": rule | organization,
        "PUT /api/v1/alert-rules/{rule_id}": rule,
        "PATCH /api/v1/alert-rules/{rule_id}": {"name": "other"},
        "POST /api/v1/alert-rules/trials": {"rule": rule, "start": 0, "end": 60, **organization},
        "POST /api/v1/silences": silence | organization,
        "PUT /api/v1/silences/{silence_id}": silence,
        "PATCH /api/v1/silences/{silence_id}": {"comment": "other"},
        "POST /api/v1/alerts/ingest": {"version": "4", "alerts": [{"status": "firing", "labels": {"a": "b"}}]},
    }


def _bodies_of_notifications(organization: dict[str, Any]) -> dict[str, Any]:
    mail = {"to_email": "ann@shop.example", "subject": "Order", "text": "Thank you"}
    template = {"name": "new", "subject": "Order", "text": "Thank you"}
    return {
        "POST /api/v1/notifications": mail | organization,
        "PUT /api/v1/notifications/attachments/{file_id}": {"any": "bytes"},
        "PUT /api/v1/clients/email-providers": SERVER | organization,
        "POST /api/v1/clients/email-providers/validate": organization,
        "POST /api/v1/templates": template | organization,
        "PUT /api/v1/templates/{template_id}": template,
        "PATCH /api/v1/templates/{template_id}": {"subject": "Other"},
        "POST /api/v1/templates/{template_id}/preview": {"variables": {"number": 1}},
        "POST /api/v1/suppressions": {"address": "bob@shop.example", **organization},
    }


def _example_of(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return _example(document, content["schema"]) if content else None


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Return the least that a schema of the document allows."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for said in ("example", "default"):
        if said in schema:
            return schema[said]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            properties = schema.get("properties", {})
            return {name: _example(document, properties[name]) for name in schema.get("required", ())}
        case "array":
            return [_example(document, schema["items"])]
        case "string":
            return {"uuid": "0198c000-0000-7000-8000-000000000000"}.get(schema.get("format", ""), "x")
        case "boolean":
            return True
        case _:
            return schema.get("minimum", 1)
