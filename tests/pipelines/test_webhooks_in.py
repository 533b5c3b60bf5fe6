"""Deliveries of code hosts over HTTP: who is believed, what is started, and what is started only once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app import jobs
from app.kernel.db import Database
from app.pipelines import Execution, PruneDeliveries
from app.pipelines.models import WebhookDelivery
from app.tenancy import Workspace
from config.settings import Settings
from tests.support.deliveries import (
    changed,
    deliver,
    deliveries,
    event_headers,
    make_pipeline,
    make_secret,
    payload,
    sign,
    sign_as_standard_webhook,
)
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import make_tools
from tests.support.tenancy import make_workspace
from tests.support.work import drain

API = "/api/v1"
GITHUB = "https://github.com/Codertocat/Hello-World.git"
COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
PUSHES = [{"trigger_type": "git_push"}]


@pytest.fixture
def workspace(database: Database, alice: Person) -> Workspace:
    return make_workspace(database, alice, repository_url="git@github.com:codertocat/hello-world.git")


@pytest.fixture
def secret(client: FlaskClient, alice: Person, workspace: Workspace) -> str:
    return make_secret(client, alice, workspace)


def execution(client: FlaskClient, person: Person, execution_id: str) -> dict[str, Any]:
    found: dict[str, Any] = data_of(client.get(f"{API}/executions/{execution_id}", headers=person.headers))
    return found


def test_a_push_starts_an_execution_of_its_commit(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    made = make_pipeline(client, alice, workspace)
    data = data_of(deliver(client, "github_push", secret))
    assert (data["message"], data["executions_triggered"]) == ("1 execution started", 1)
    started = execution(client, alice, data["executions"][0])
    assert (started["pipeline_id"], started["trigger"], started["status"]) == (made["id"], "git_push", "queued")
    assert (started["branch"], started["tag"], started["commit_sha"]) == ("master", None, COMMIT)
    assert (started["created_by"], started["trusted"], started["pull_request"]) == (None, True, None)


def test_a_tag_starts_an_execution_without_a_branch(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    make_pipeline(client, alice, workspace)
    data = data_of(deliver(client, "github_push_tag", secret))
    started = execution(client, alice, data["executions"][0])
    assert (started["trigger"], started["branch"], started["tag"]) == ("git_tag", None, "simple-tag")


def test_a_pull_request_has_a_branch_that_no_stranger_can_choose(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    make_pipeline(client, alice, workspace)
    given = changed("github_pull_request_opened", "pull_request", "head", "ref", to="master")
    data = data_of(deliver(client, "github_pull_request_opened", secret, given))
    started = execution(client, alice, data["executions"][0])
    assert (started["trigger"], started["branch"], started["trusted"]) == ("pull_request", "pull/2", True)
    assert started["pull_request"] == {"number": 2, "branch": "master", "base_branch": "master"}


def test_a_forks_pull_request_is_not_trusted(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    make_pipeline(client, alice, workspace)
    given = changed("github_pull_request_opened", "pull_request", "head", "repo", "id", to=99)
    data = data_of(deliver(client, "github_pull_request_opened", secret, given))
    assert execution(client, alice, data["executions"][0])["trusted"] is False
    assert deliveries(client, alice, workspace)[0]["fork"] is True


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("gitlab_push", "http://example.com/mike/diaspora"),
        ("gitlab_tag_push", "ssh://git@example.com/jsmith/example.git"),
        ("gitlab_merge_request", "https://example.com/gitlabhq/gitlab-test.git"),
        ("gitea_push", "http://localhost:3000/Gitea/webhooks.git"),
        ("gitea_pull_request_opened", "git@try.gitea.io:jcitizen/my-repo.git"),
        ("gitea_pull_request_synchronized", "https://TRY.gitea.io/jcitizen/my-repo/"),
    ],
)
def test_gitlab_and_gitea_deliver_too(
    client: FlaskClient, database: Database, alice: Person, name: str, url: str
) -> None:
    workspace = make_workspace(database, alice, repository_url=url)
    secret = make_secret(client, alice, workspace)
    make_pipeline(client, alice, workspace)
    assert data_of(deliver(client, name, secret))["executions_triggered"] == 1
    assert deliveries(client, alice, workspace)[0]["provider"] == name.partition("_")[0]


def test_gitlabs_signing_token_is_the_same_secret(client: FlaskClient, database: Database, alice: Person) -> None:
    workspace = make_workspace(database, alice, repository_url="http://example.com/mike/diaspora")
    secret = make_secret(client, alice, workspace)
    make_pipeline(client, alice, workspace)
    body = json.dumps(payload("gitlab_push")).encode()
    headers = sign_as_standard_webhook(body, secret, delivery_id="d1")
    assert data_of(deliver(client, "gitlab_push", "", headers=headers))["executions_triggered"] == 1


def test_a_form_is_read_as_github_sends_it(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    make_pipeline(client, alice, workspace)
    body = b"payload=" + quote_plus(json.dumps(payload("github_push"))).encode()
    headers = event_headers("github_push") | sign("github", body, secret)
    path = f"{API}/webhooks/github"
    reply = client.post(path, data=body, headers=headers, content_type="application/x-www-form-urlencoded")
    assert data_of(reply)["executions_triggered"] == 1


def test_a_ping_is_answered(client: FlaskClient, database: Database, alice: Person) -> None:
    workspace = make_workspace(database, alice, repository_url="https://github.com/Octocoders/Hello-World")
    data = data_of(deliver(client, "github_ping", make_secret(client, alice, workspace)))
    assert data == {"message": "pong", "executions_triggered": 0, "executions": []}
    assert [(row["event"], row["outcome"]) for row in deliveries(client, alice, workspace)] == [("ping", "pong")]


def test_the_same_delivery_again_starts_nothing_and_is_answered_the_same(
    client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    make_pipeline(client, alice, workspace)
    first = data_of(deliver(client, "github_push", secret, delivery_id="d1"))
    assert first["executions_triggered"] == 1
    assert data_of(deliver(client, "github_push", secret, delivery_id="d1")) == first
    # The id is not signed: the same body under another one is somebody who replays it.
    assert data_of(deliver(client, "github_push", secret, delivery_id="d2")) == first
    # Nor is the kind of host: what GitHub has signed bears the signature that Gitea would have made.
    body = json.dumps(payload("github_push")).encode()
    headers = {"X-Gitea-Event": "push", "X-Gitea-Delivery": "d3"} | sign("gitea", body, secret)
    replayed = client.post(f"{API}/webhooks/gitea", data=body, headers=headers, content_type="application/json")
    assert data_of(replayed) == first
    with database.transaction() as session:
        assert session.scalars(select(func.count(Execution.id))).one() == 1
    assert [row["redelivered"] for row in deliveries(client, alice, workspace)] == [3]


def test_a_delivery_says_why_it_started_nothing(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    data_of(deliver(client, "github_push", secret))
    make_pipeline(client, alice, workspace, [{"trigger_type": "git_push", "config": {"branch_patterns": ["dev"]}}])
    skipped = changed("github_push", "head_commit", "message", to="Fix [skip ci]")
    for given in (payload("github_push") | {"after": "a" * 40}, skipped):
        data = data_of(deliver(client, "github_push", secret, given))
        assert (data["message"], data["executions"]) == ("nothing to start", [])
    data_of(deliver(client, "github_push_deleted", secret))
    rows = deliveries(client, alice, workspace, "?sort=created_at&outcome=nothing")
    assert [row["reason"] for row in rows] == [
        "No pipeline of this workspace has triggers.",
        "No trigger matches.",
        "The commit's message asks to skip it.",
        "The tag was deleted.",
    ]
    reaction = rows[1]["executions"][0]
    assert (reaction["pipeline"], reaction["execution_id"]) == ("shop", None)
    assert reaction["reason"] == "git_push: the branch 'master' matches none of dev"


def test_each_pipeline_decides_for_itself(
    client: FlaskClient, alice: Person, workspace: Workspace, secret: str
) -> None:
    wanted = make_pipeline(client, alice, workspace, PUSHES, "a")
    make_pipeline(client, alice, workspace, [{"trigger_type": "git_tag"}], "b")
    make_pipeline(client, alice, workspace, [], "c")
    assert data_of(deliver(client, "github_push", secret))["executions_triggered"] == 1
    reactions = {one["pipeline"]: one for one in deliveries(client, alice, workspace)[0]["executions"]}
    assert set(reactions) == {"a", "b"}
    assert reactions["a"]["pipeline_id"] == wanted["id"]
    assert reactions["b"]["reason"] == "git_tag: this is a push to a branch"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"payload=%5B%5D", "application/x-www-form-urlencoded", 400),
        (b"<a/>", "application/xml", 415),
        (b"{}", "", 415),
        (b"x" * (25 * 1024 * 1024), "application/json", 413),
    ],
)
def test_what_is_no_delivery_is_refused(client: FlaskClient, body: bytes, content_type: str, status: int) -> None:
    error_of(client.post(f"{API}/webhooks/github", data=body, content_type=content_type), status)


def test_deliveries_forget_nothing_that_a_stranger_sends(
    client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str
) -> None:
    make_pipeline(client, alice, workspace)
    hostile = payload("github_push") | {"ref": "refs/heads/$(reboot)", "commits": {"a": 1}, "pusher": []}
    data = data_of(deliver(client, "github_push", secret, hostile))
    assert execution(client, alice, data["executions"][0])["branch"] == "$(reboot)"
    with database.transaction() as session:
        assert session.scalars(select(WebhookDelivery.branch)).one() == "$(reboot)"


def test_old_deliveries_are_forgotten(
    client: FlaskClient, database: Database, alice: Person, workspace: Workspace, secret: str, settings: Settings
) -> None:
    for number in range(2):
        data_of(deliver(client, "github_push", secret, payload("github_push") | {"number": number}))
    with database.transaction() as session:
        first = select(WebhookDelivery.id).limit(1).scalar_subquery()
        old = func.now() - timedelta(days=settings.job_history_days + 1)
        session.execute(update(WebhookDelivery).where(WebhookDelivery.id == first).values(created_at=old))
        jobs.accept(session, PruneDeliveries())
    drain(database, make_tools(settings, settings.data_dir))
    assert len(deliveries(client, alice, workspace)) == 1
