"""Secrets of incoming webhooks: made, rotated, and the only thing by which a delivery is believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, update

from app.kernel.db import Database
from app.pipelines import webhook_secrets
from app.pipelines.models import WorkspaceWebhook
from app.tenancy import Workspace
from tests.support.deliveries import (
    changed,
    deliver,
    deliveries,
    make_pipeline,
    make_secret,
    payload,
    sign,
)
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.secrets import tables_that_show
from tests.support.tenancy import make_workspace

API = "/api/v1"
GITHUB = "https://github.com/Codertocat/Hello-World.git"


@pytest.fixture
def workspace(database: Database, alice: Person) -> Workspace:
    return make_workspace(database, alice, repository_url="git@github.com:codertocat/hello-world.git")


@pytest.fixture
def secret(client: FlaskClient, alice: Person, workspace: Workspace) -> str:
    return make_secret(client, alice, workspace)


def test_two_workspaces_of_one_repository_are_judged_by_their_own_secrets(
    app: Flask, client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    charlie = make_person(app, database, "charlie")
    other = make_workspace(database, charlie, repository_url=GITHUB)
    his = make_secret(client, charlie, other)
    make_pipeline(client, alice, workspace)
    make_pipeline(client, charlie, other)
    assert data_of(deliver(client, "github_push", his))["executions_triggered"] == 1
    assert deliveries(client, alice, workspace) == []
    assert len(deliveries(client, charlie, other)) == 1
    assert data_of(deliver(client, "github_push", secret))["executions_triggered"] == 1
    hook = data_of(client.get(f"{API}/workspaces/{workspace.id}/webhook", headers=alice.headers))
    assert hook["refused"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "0" * 64},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {"X-Gitlab-Token": "whsec_"},
    ],
)
def test_who_cannot_sign_learns_nothing(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str, headers: dict[str, str]
) -> None:
    make_pipeline(client, alice, workspace)
    known = error_of(deliver(client, "github_push", "", headers=headers), 401)
    unknown = changed("github_push", "repository", to={"clone_url": "https://github.com/nobody/nothing.git"})
    assert error_of(deliver(client, "github_push", "", unknown, headers=headers), 401) == known
    nameless = changed("github_push", "repository", to=None)
    assert error_of(deliver(client, "github_push", secret, nameless), 401) == known
    assert known["code"] == "INVALID_CREDENTIALS"
    assert deliveries(client, alice, workspace) == []
    hook = data_of(client.get(f"{API}/workspaces/{workspace.id}/webhook", headers=alice.headers))
    assert (hook["refused"], hook["refused_at"] is None) == (1, False)


def test_a_body_changed_on_its_way_is_refused(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    signed = sign("github", json.dumps(payload("github_push")).encode(), secret)
    forged = payload("github_push") | {"ref": "refs/heads/main"}
    error_of(deliver(client, "github_push", "", forged, headers=signed), 401)


def test_an_address_that_names_its_workspace_is_for_that_one_alone(
    app: Flask, client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    charlie = make_person(app, database, "charlie")
    other = make_workspace(database, charlie, repository_url=GITHUB)
    make_secret(client, charlie, other)
    named = f"?workspace={workspace.id}"
    assert data_of(deliver(client, "github_push", secret, query=named))["message"] == "nothing to start"
    assert len(deliveries(client, alice, workspace)) == 1
    for query in (f"?workspace={other.id}", f"?workspace={uuid4()}"):
        refused = error_of(deliver(client, "github_push", secret, query=query), 401)
        assert refused["code"] == "INVALID_CREDENTIALS"
    error_of(deliver(client, "github_push", secret, query="?workspace=1"), 422)


def test_of_more_workspaces_than_are_tried_each_is_reached_by_its_own_address(
    app: Flask,
    client: FlaskClient,
    database: Database,
    alice: Person,
    workspace: Workspace,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_secrets, "MOST_WORKSPACES", 1)
    charlie = make_person(app, database, "charlie")
    other = make_workspace(database, charlie, repository_url=GITHUB)
    his = make_secret(client, charlie, other)
    assert deliver(client, "github_push", secret).status_code == 200
    refused = error_of(deliver(client, "github_push", his), 401)
    assert "Deliver to the address that the workspace's webhook shows" in refused["message"]
    assert deliver(client, "github_push", his, query=f"?workspace={other.id}").status_code == 200


def test_an_inactive_workspace_takes_no_deliveries(
    client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    with database.transaction() as session:
        session.execute(update(Workspace).where(Workspace.id == workspace.id).values(status="inactive"))
    error_of(deliver(client, "github_push", secret), 401)


def test_a_secret_is_shown_once_and_kept_encrypted(
    client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    shown = data_of(client.get(f"{API}/workspaces/{workspace.id}/webhook", headers=alice.headers))
    assert "secret" not in shown
    assert shown["urls"]["github"].endswith(f"/api/v1/webhooks/github?workspace={workspace.id}")
    assert shown["rotated_at"] is None
    assert tables_that_show(database, secret) == []


def test_the_secret_before_stays_valid_for_a_day(
    client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    newer = make_secret(client, alice, workspace)
    for known in (secret, newer):
        assert deliver(client, "github_push", known).status_code == 200
    shown = data_of(client.get(f"{API}/workspaces/{workspace.id}/webhook", headers=alice.headers))
    ends = datetime.fromisoformat(shown["previous_until"])
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(hours=24)
    with database.transaction() as session:
        session.execute(update(WorkspaceWebhook).values(previous_until=func.now() - timedelta(seconds=1)))
    error_of(deliver(client, "github_push", secret), 401)
    assert deliver(client, "github_push", newer).status_code == 200


def test_a_secret_that_leaked_is_invalid_at_once(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    newest = make_secret(client, alice, workspace, immediately=True)
    error_of(deliver(client, "github_push", secret), 401)
    assert deliver(client, "github_push", newest).status_code == 200


def test_a_webhook_can_be_deleted(client: FlaskClient, alice: Person, workspace: Workspace, secret: str) -> None:
    path = f"{API}/workspaces/{workspace.id}/webhook"
    assert client.delete(path, headers=alice.headers).status_code == 204
    error_of(client.get(path, headers=alice.headers), 404)
    error_of(deliver(client, "github_push", secret), 401)


def test_who_may(app: Flask, client: FlaskClient, database: Database, alice: Person, workspace: Workspace) -> None:
    path = f"{API}/workspaces/{workspace.id}/webhook"
    viewer, charlie = make_person(app, database, "bob"), make_person(app, database, "charlie")
    join(database, viewer, alice.organization_id, "viewer")
    make_secret(client, alice, workspace)
    assert client.get(path, headers=viewer.headers).status_code == 200
    error_of(client.post(f"{path}/rotate", json={}, headers=viewer.headers), 403)
    error_of(client.delete(path, headers=viewer.headers), 403)
    for place in (path, f"{path}/deliveries"):
        error_of(client.get(place, headers=charlie.headers), 404)
        error_of(client.get(place), 401)
    error_of(client.post(f"{path}/rotate", json={}, headers=charlie.headers), 404)


def test_a_secret_that_cannot_be_read_keeps_no_other_workspace_back(
    app: Flask, client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    charlie = make_person(app, database, "charlie")
    other = make_workspace(database, charlie, repository_url=GITHUB)
    his = make_secret(client, charlie, other)
    mine = WorkspaceWebhook.workspace_id == workspace.id
    with database.transaction() as session:
        session.execute(update(WorkspaceWebhook).where(mine).values(secret=b"x" * 60))
    assert deliver(client, "github_push", his).status_code == 200
    error_of(deliver(client, "github_push", secret), 401)
