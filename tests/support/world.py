"""One of each thing that a path of the API can name, all Alice's but for a client application and its user: for tests
that walk every operation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from app.identity import Scope
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.kernel.store import BlobStore
from app.pipelines import Execution, Stage
from app.pipelines.models import Artifact, StoredCache
from app.tenancy import Workspace
from tests.support.clients import Holder, make_client, make_user
from tests.support.identity import Person, data_of, join, make_person
from tests.support.metrics import make_alert, make_anomaly
from tests.support.notifications import make_notification
from tests.support.problems import make_problem
from tests.support.recommendations import make_recommendation
from tests.support.rights import give, make_role
from tests.support.rooms import make_room, send
from tests.support.runners import make_runner
from tests.support.tenancy import make_workspace

API = "/api/v1"
DEFINITION = {"name": "shop", "stages": [{"name": "build", "steps": [{"name": "compile", "run": "true"}]}]}
KEY = {"name": "k", "scopes": ["jobs:read"]}
CLUSTER = {"name": "production", "server": "https://kube.example.com:6443", "token": "canary-of-the-world"}
NAMES = {"provider": "github", "stage": "build", "step": "compile", "name": "TOKEN"}


@dataclass(frozen=True)
class World:
    """What there is, by the names of path parameters; `special` are values for paths that match an expression."""

    alice: Person
    mary: Person
    shop: Holder
    ann: Holder
    values: dict[str, str]
    special: dict[str, dict[str, str]]
    runner_headers: dict[str, str]

    def fill(self, template: str) -> str:
        """Return a path of the document with its parameters replaced; raises KeyError for one nobody has made."""
        values = dict(self.values)
        for expression, others in self.special.items():
            if re.search(expression, template):
                values |= others
        return re.sub(r"{(\w+)}", lambda found: values[found[1]], template)

    @property
    def ids(self) -> set[str]:
        """What a stranger must never see."""
        every = [*self.values.values(), *(one for others in self.special.values() for one in others.values())]
        return {one for one in every if re.fullmatch(r"[0-9a-f-]{36}", one)}


def make_world(app: Flask, client: FlaskClient, database: Database) -> World:
    """Let Alice make all of it; Mary is a member of her organization and of her workspace, and has a role there. The
    shop is a client application of nobody here, and Ann its user."""
    alice, mary = make_person(app, database, "alice", email_verified=True), make_person(app, database, "mary")
    organization = alice.organization_id
    join(database, mary, organization, "viewer")
    workspace = make_workspace(database, alice, repository_url="https://git.example.com/team/shop.git")
    pipeline = _make(client, alice, f"/workspaces/{workspace.id}/pipelines", DEFINITION)
    execution = _make(client, alice, f"/pipelines/{pipeline['id']}/executions", {}, 202)
    environment_id = _furnish(client, alice, workspace, pipeline["id"])
    _keep_artifact(app, database, UUID(execution["id"]))
    ann = make_user(client, shop := make_client(client))
    values = _say_something(client, shop, ann) | {
        "client_id": shop.id,
        "organization_id": str(organization),
        "workspace_id": str(workspace.id),
        "pipeline_id": pipeline["id"],
        "environment_id": environment_id,
        "execution_id": execution["id"],
        "job_id": execution["job_id"],
        **NAMES,
        **_watch(client, database, alice),
        "cluster_id": (cluster_id := _make(client, alice, "/clusters", CLUSTER, 202)["id"]),
        "recommendation_id": str(make_recommendation(database, organization, UUID(cluster_id)).id),
        **_make_webhook(client, alice),
        **make_notification(app, client, alice),
        "project_id": _make_project(client, alice, mary, f"/workspaces/{workspace.id}/projects"),
        "cache_id": str(_keep_cache(database, workspace)),
        "user_id": str(mary.user.id),
        "session_id": str(alice.session_id),
        "invitation_id": _invite(client, alice, organization, "nobody@example.com")["id"],
        "role_id": str(make_role(database, organization, ["jobs:read"], "unused").id),
        "assignment_id": _let_in(database, mary, workspace),
        "key_id": _make(client, alice, "/api-keys", KEY)["id"],
    }
    runner = _make_runner(client, alice, organization)
    special = _make_special(client, alice, mary, ann)
    values |= _name_runners(client, alice, workspace, runner["id"])
    return World(alice, mary, shop, ann, values, special, {"Authorization": f"Bearer {runner['token']}"})


def _make_special(client: FlaskClient, alice: Person, mary: Person, ann: Holder) -> dict[str, dict[str, str]]:
    """Return the values for paths in which a name stands for something else."""
    keys = f"/organizations/{alice.organization_id}/api-keys"
    return {
        r"^/api/v1/users/{user_id}$|/rooms/{room_id}/(members/{user_id}|unread)": {"user_id": ann.id},
        r"/artifacts/{name}": {"name": "kept.txt"},
        r"/invitations/{token}": {"token": _invite(client, mary, mary.organization_id, alice)["token"]},
        r"/organizations/.*/api-keys": {"key_id": _make(client, alice, keys, KEY)["id"]},
    }


def _watch(client: FlaskClient, database: Database, alice: Person) -> dict[str, str]:
    """Let Alice have a series, a scan of it, what it found, and more of them by the clock."""
    place = {"organization_id": str(alice.organization_id)}
    _make(client, alice, "/metrics/write", {"series": [{"name": "world", "points": [[1.0, 1.0]]}], **place}, 200)
    scan = _make(client, alice, "/sre/scans", {"series": ["world"], **place}, 202)
    schedule = {"name": "world", "series": ["world"], "interval_seconds": 60, **place}
    rule = _make(client, alice, "/alert-rules", {"name": "world", "query": "world", **place})
    silence = {"matchers": [{"label": "pod", "value": "web"}], "comment": "world", **place}
    silence |= {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}
    anomaly = make_anomaly(database, alice.organization_id, UUID(scan["id"]))
    source = {"name": "world", "url": "https://prometheus.example.com", "queries": [{"query": "up"}], **place}
    return {
        "source_id": _make(client, alice, "/metric-sources", source)["id"],
        "scan_id": scan["id"],
        "schedule_id": _make(client, alice, "/sre/scan-schedules", schedule)["id"],
        "anomaly_id": str(anomaly.id),
        "rule_id": rule["id"],
        "silence_id": _make(client, alice, "/silences", silence)["id"],
        "alert_id": str(make_alert(database, alice.organization_id).id),
        "problem_id": str(make_problem(database, alice.organization_id).id),
    }


def _say_something(client: FlaskClient, shop: Holder, ann: Holder) -> dict[str, str]:
    room_id = make_room(client, shop, ann)
    attachment_id = str(new_id())
    path = f"/api/v1/rooms/{room_id}/attachments/{attachment_id}?name=canary"
    data_of(client.put(path, data=b"canary", headers=ann.headers))
    file = {"message_type": "file", "meta": {"attachment_id": attachment_id}}
    send(client, ann, room_id, "canary", **file)
    return {
        "room_id": room_id,
        "message_id": send(client, ann, room_id, "canary")["id"],
        "attachment_id": attachment_id,
    }


def _let_in(database: Database, person: Person, workspace: Workspace) -> str:
    give(database, person, "workspace-viewer", Scope("workspace", workspace.id))
    role = make_role(database, workspace.organization_id, ["jobs:read"])
    return str(give(database, person, role, Scope("workspace", workspace.id)).id)


def _furnish(client: FlaskClient, alice: Person, workspace: Workspace, pipeline_id: str) -> str:
    """Let each holder keep something; return the environment among them."""
    place = f"/workspaces/{workspace.id}"
    environment_id: str = _make(client, alice, f"{place}/environments", {"name": "production"})["id"]
    kept = {"name": "TOKEN", "value": "canary-of-the-world"}
    for holder in (
        f"organizations/{workspace.organization_id}",
        f"workspaces/{workspace.id}",
        f"pipelines/{pipeline_id}",
    ):
        _make(client, alice, f"/{holder}/secrets", kept)
        _make(client, alice, f"/{holder}/variables", kept)
    _make(client, alice, f"/environments/{environment_id}/secrets", kept)
    _make(client, alice, f"{place}/webhook/rotate", {})
    return environment_id


def _make_webhook(client: FlaskClient, alice: Person) -> dict[str, str]:
    body = {"url": "https://shop.example.com/hook", "events": ["*"]}
    made = _make(client, alice, "/webhooks", body)["id"]
    sent = _make(client, alice, f"/webhooks/{made}/test", {"event": "cluster.created"}, 202)
    return {"webhook_id": made, "delivery_id": sent["id"]}


def _make_project(client: FlaskClient, alice: Person, mary: Person, path: str) -> str:
    project = str(_make(client, alice, path, {"name": "world"})["id"])
    _make(client, alice, f"{path}/{project}/members", {"user_id": str(mary.user.id), "role": "viewer"})
    return project


def _make_runner(client: FlaskClient, alice: Person, organization_id: UUID) -> dict[str, Any]:
    token = _make(client, alice, f"/organizations/{organization_id}/runner-tokens", {})["token"]
    return make_runner(client, token)


def _name_runners(client: FlaskClient, alice: Person, workspace: Workspace, runner_id: str) -> dict[str, str]:
    token = _make(client, alice, f"/workspaces/{workspace.id}/runner-tokens", {})["id"]
    return {
        "runner_id": runner_id,
        "token_id": token,
        "attempt": "1",
        "step_id": str(new_id()),
        "key": "world/kept",
    }


def _make(client: FlaskClient, person: Person, path: str, body: Any, status: int = 201) -> dict[str, Any]:
    made: dict[str, Any] = data_of(client.post(API + path, json=body, headers=person.headers), status)
    return made


def _invite(client: FlaskClient, person: Person, organization_id: UUID, whom: Person | str) -> dict[str, Any]:
    email = whom if isinstance(whom, str) else whom.user.email
    return _make(client, person, f"/organizations/{organization_id}/invitations", {"email": email, "role": "viewer"})


def _keep_cache(database: Database, workspace: Workspace) -> UUID:
    cache = StoredCache(
        id=new_id(),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        scope="branch:main",
        key="world",
        blob="world/cache",
        size=1,
        files=1,
        sha256="0" * 64,
    )
    with database.transaction() as session:
        session.add(cache)
        session.flush()
        return cache.id


def _keep_artifact(app: Flask, database: Database, execution_id: UUID) -> None:
    BlobStore(app.extensions["headrace"].artifact_store).put("world/kept", b"kept")
    with database.transaction() as session:
        execution = session.get_one(Execution, execution_id)
        stage = session.query(Stage).filter(Stage.execution_id == execution_id).one()
        session.add(
            Artifact(
                id=new_id(),
                organization_id=execution.organization_id,
                execution_id=execution_id,
                stage_id=stage.id,
                stage_name=stage.name,
                name="kept.txt",
                path="kept.txt",
                size=4,
                sha256="0" * 64,
                content_type="text/plain",
                key="world/kept",
                expires_at=utc_now() + timedelta(days=1),
            )
        )
