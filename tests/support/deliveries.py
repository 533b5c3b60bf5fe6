"""Deliveries of code hosts: real payloads, changed where a case needs it, signed as each host signs."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.pipelines.triggers import HOSTS, RepositoryEvent, read_payload
from app.tenancy import Workspace
from tests.support.identity import Person, data_of
from tests.support.pipelines import pipeline, stage

PAYLOADS = Path(__file__).parents[1] / "pipelines" / "payloads"
JSON = "application/json"
API = "/api/v1"
ALL = [{"trigger_type": kind} for kind in ("git_push", "git_tag", "pull_request")]

EVENTS = {
    "github_ping": "ping",
    "github_push": "push",
    "github_push_tag": "push",
    "github_push_deleted": "push",
    "github_pull_request_opened": "pull_request",
    "github_pull_request_synchronize": "pull_request",
    "github_pull_request_closed": "pull_request",
    "github_release_published": "release",
    "gitlab_push": "Push Hook",
    "gitlab_tag_push": "Tag Push Hook",
    "gitlab_merge_request": "Merge Request Hook",
    "gitea_push": "push",
    "gitea_pull_request_opened": "pull_request",
    "gitea_pull_request_synchronized": "pull_request",
    "gitea_pull_request_closed": "pull_request",
}


def payload(name: str) -> dict[str, Any]:
    """Return a payload that a host has published."""
    read: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return read


def changed(name: str, *path: str, to: Any) -> dict[str, Any]:
    """Return a payload with the value at a path of keys replaced."""
    whole = copy.deepcopy(payload(name))
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return whole


def event_headers(name: str) -> dict[str, str]:
    """Return the headers by which a host names the event of a payload."""
    provider = name.partition("_")[0]
    header = {"github": "X-GitHub-Event", "gitlab": "X-Gitlab-Event", "gitea": "X-Gitea-Event"}[provider]
    return {header: EVENTS[name]}


def parsed(name: str, given: Any = None) -> RepositoryEvent:
    """Return what the parser makes of a payload, or of another value delivered as the same event."""
    body = json.dumps(payload(name) if given is None else given).encode()
    headers = {key.lower(): value for key, value in event_headers(name).items()}
    return HOSTS[name.partition("_")[0]].read(headers, read_payload(body, JSON))


def sign(provider: str, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers by which a host signs a body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "github": {"X-Hub-Signature-256": f"sha256={digest}"},
        "gitea": {"X-Gitea-Signature": digest},
        "gitlab": {"X-Gitlab-Token": secret},
    }[provider]


def sign_as_standard_webhook(body: bytes, secret: str, *, delivery_id: str, at: float | None = None) -> dict[str, str]:
    """Return the headers of GitLab's signing token."""
    moment = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": delivery_id, "webhook-timestamp": moment, "webhook-signature": signature}


def deliver(
    client: FlaskClient,
    name: str,
    secret: str,
    given: Any = None,
    *,
    delivery_id: str | None = None,
    headers: dict[str, str] | None = None,
    query: str = "",
) -> TestResponse:
    """Deliver a payload as its host does."""
    provider = name.partition("_")[0]
    body = json.dumps(payload(name) if given is None else given).encode()
    header = {"github": "X-GitHub-Delivery", "gitlab": "Idempotency-Key", "gitea": "X-Gitea-Delivery"}[provider]
    sent = event_headers(name) | {header: delivery_id or str(uuid4())}
    sent |= sign(provider, body, secret) if headers is None else headers
    return client.post(f"/api/v1/webhooks/{provider}{query}", data=body, headers=sent, content_type=JSON)


def make_secret(client: FlaskClient, person: Person, workspace: Workspace, **body: Any) -> str:
    """Rotate a workspace's secret and return it."""
    path = f"{API}/workspaces/{workspace.id}/webhook/rotate"
    made: str = data_of(client.post(path, json=body, headers=person.headers), 201)["secret"]
    return made


def make_pipeline(
    client: FlaskClient, person: Person, workspace: Workspace, triggers: Any = ALL, name: str = "shop"
) -> dict[str, Any]:
    """Make a pipeline with triggers."""
    path = f"{API}/workspaces/{workspace.id}/pipelines"
    body = pipeline(stage("a"), name=name, triggers=triggers)
    made: dict[str, Any] = data_of(client.post(path, json=body, headers=person.headers), 201)
    return made


def deliveries(client: FlaskClient, person: Person, workspace: Workspace, query: str = "") -> list[dict[str, Any]]:
    """List what was delivered to a workspace."""
    path = f"{API}/workspaces/{workspace.id}/webhook/deliveries{query}"
    found: list[dict[str, Any]] = data_of(client.get(path, headers=person.headers))
    return found
