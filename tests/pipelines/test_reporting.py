"""Commits' statuses from the start of an execution to its end, and the settings that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.jobs import Job
from app.kernel.db import Database
from app.pipelines import Execution, ReportStatus
from app.pipelines.settings import write_settings
from config.settings import Settings
from tasks.pipelines.gateways.statuses import CommitStatus, HttpStatuses
from tests.support.chains import settle
from tests.support.git_server import GitServer, serving
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, make_tools, pipeline, stage
from tests.support.repositories import Repository
from tests.support.secrets import keep_secret, tables_that_show
from tests.support.status_server import StatusServer, telling
from tests.support.tenancy import make_workspace

API = "/api/v1"
TOKEN = "the-token-of-the-host"


@pytest.fixture
def server() -> Iterator[StatusServer]:
    with telling(StatusServer()) as server:
        yield server


@pytest.fixture
def runner(settings: Settings, database: Database, alice: Person, tmp_path: Path) -> Iterator[Engine]:
    """An engine whose workspace has a repository on a host."""
    with serving(GitServer(tmp_path / "served")) as host:
        Repository(host.root / "acme" / "shop").commit({"file": "content"})
        workspace = make_workspace(database, alice, repository_url=host.url("acme/shop"))
        tools = make_tools(
            settings, settings.data_dir, allow_private_addresses=True, public_url="https://ci.example.com/"
        )
        yield Engine(database, tools, workspace)


@pytest.fixture
def path(runner: Engine) -> str:
    return f"{API}/workspaces/{runner.workspace.id}/pipeline-settings"


@pytest.fixture
def run(runner: Engine, server: StatusServer) -> Callable[..., list[Any]]:
    """Run a pipeline in a workspace that reports, and return what the host has heard."""

    def run(script: str = "true", token: str | None = "STATUS_TOKEN", **change: Any) -> list[Any]:
        with runner.database.transaction() as session:
            wanted = {"report_status": "github", "status_api_url": server.url} | change
            write_settings(session, runner.workspace, wanted)
        if token:
            keep_secret(runner.database, runner.tools.vault, runner.workspace, token, TOKEN)
        runner.start(pipeline(stage("a", script)))
        settle(runner)
        return [heard["body"] for heard in server.heard]

    return run


def reports(runner: Engine) -> list[Job]:
    with runner.database.transaction() as session:
        mine = select(Job).where(Job.kind == ReportStatus.kind).order_by(Job.created_at)
        return list(session.scalars(mine))


@pytest.mark.parametrize(("script", "state"), [("true", "success"), ("exit 3", "failure")])
def test_a_commit_has_the_state_of_its_execution(
    runner: Engine, server: StatusServer, run: Callable[..., list[Any]], script: str, state: str
) -> None:
    heard = run(script)
    assert heard[-1]["state"] == state
    assert {one["context"] for one in heard} == {"headrace/shop"}
    assert heard[-1]["description"].startswith("Execution 1 ")
    with runner.database.transaction() as session:
        execution = session.scalars(select(Execution)).one()
    assert heard[-1]["target_url"] == f"https://ci.example.com/api/v1/executions/{execution.id}"
    assert server.heard[0]["path"] == f"/repos/acme/shop/statuses/{execution.commit_sha}"
    assert server.heard[0]["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert [job.status for job in reports(runner)] == ["succeeded"] * 2
    assert tables_that_show(runner.database, TOKEN) == []


def test_a_commit_is_pending_while_its_execution_runs(
    runner: Engine, server: StatusServer, run: Callable[..., list[Any]]
) -> None:
    run()
    with runner.database.transaction() as session:
        session.execute(update(Execution).values(status="running", finished_at=None))
        execution_id = session.scalars(select(Execution.id)).one()
        jobs.accept(session, ReportStatus(execution_id))
    runner.drain()
    assert server.heard[-1]["body"]["state"] == "pending"


def test_a_late_report_ends_with_what_is_true(
    runner: Engine, server: StatusServer, run: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    with runner.database.transaction() as session:
        session.execute(update(Execution).values(status="running"))
        execution_id = session.scalars(select(Execution.id)).one()
        jobs.accept(session, ReportStatus(execution_id))
    told: list[str] = []
    real = HttpStatuses.report

    def report(self: HttpStatuses, status: CommitStatus, token: str) -> None:
        told.append(status.state)
        real(self, status, token)
        with runner.database.transaction() as session:
            session.execute(update(Execution).values(status="failed"))

    monkeypatch.setattr(HttpStatuses, "report", report)
    runner.drain()
    assert told == ["pending", "failure"]


def test_a_pull_request_has_a_status_of_its_own(
    runner: Engine, server: StatusServer, run: Callable[..., list[Any]]
) -> None:
    run()
    with runner.database.transaction() as session:
        request = {"number": 7, "branch": "fix", "base_branch": "main"}
        session.execute(update(Execution).values(pull_request=request))
        jobs.accept(session, ReportStatus(session.scalars(select(Execution.id)).one()))
    runner.drain()
    assert server.heard[-1]["body"]["context"] == "headrace/shop/pull_request"


def test_the_token_of_the_repository_does_where_there_is_no_other(
    server: StatusServer, run: Callable[..., list[Any]]
) -> None:
    assert run(token="REPOSITORY_TOKEN")[-1]["state"] == "success"
    assert server.heard[0]["headers"]["Authorization"] == f"Bearer {TOKEN}"


def test_without_a_token_it_is_said_what_is_missing(runner: Engine, run: Callable[..., list[Any]]) -> None:
    assert run(token=None) == []
    assert {(job.status, (job.error or {})["code"]) for job in reports(runner)} == {("failed", "STATUS_TOKEN_MISSING")}


def test_nobody_is_told_who_was_not_asked_for(runner: Engine, run: Callable[..., list[Any]]) -> None:
    assert run(report_status=None) == []
    assert reports(runner) == []


def test_a_host_that_is_away_is_told_later(runner: Engine, server: StatusServer, run: Callable[..., list[Any]]) -> None:
    server.status = 503
    run()
    assert {job.status for job in reports(runner)} == {"queued"}
    server.status = 201
    runner.make_due()
    runner.drain()
    assert {job.status for job in reports(runner)} == {"succeeded"}
    assert server.heard[-1]["body"]["state"] == "success"


def test_settings_are_read_replaced_and_changed(client: FlaskClient, alice: Person, path: str) -> None:
    fresh = {"report_status": None, "status_api_url": None, "badge_public": False, "updated_at": None}
    assert data_of(client.get(path, headers=alice.headers)) == fresh
    wanted = {"report_status": "gitea", "status_api_url": "https://code.example.com/api/v1"}
    changed = data_of(client.patch(path, json=wanted, headers=alice.headers))
    assert changed["updated_at"] is not None
    assert {name: changed[name] for name in wanted} == wanted
    assert data_of(client.patch(path, json={"badge_public": True}, headers=alice.headers))["report_status"] == "gitea"
    replaced = data_of(client.put(path, json={"report_status": "github"}, headers=alice.headers))
    assert (replaced["report_status"], replaced["status_api_url"], replaced["badge_public"]) == ("github", None, False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"report_status": "bitbucket"}, "report_status"),
        ({"status_api_url": "ftp://code.example.com/api"}, "status_api_url"),
        ({"status_api_url": "https://user:secret@code.example.com/api"}, "status_api_url"),
        ({"status_api_url": "http://127.0.0.1/api"}, "status_api_url"),
        ({"status_api_url": "http://169.254.169.254/latest"}, "status_api_url"),
        ({"badge_public": "yes"}, "badge_public"),
    ],
)
def test_settings_that_lead_astray_are_refused(
    client: FlaskClient, alice: Person, path: str, body: dict[str, Any], field: str
) -> None:
    assert error_of(client.patch(path, json=body, headers=alice.headers), 422)["errors"][0]["field"] == field


def test_only_who_may_write_secrets_says_where_a_token_goes(
    app: Flask, client: FlaskClient, database: Database, alice: Person, path: str
) -> None:
    bob, charlie = make_person(app, database, "bob"), make_person(app, database, "charlie")
    join(database, bob, alice.organization_id, "member")
    data_of(client.get(path, headers=bob.headers))
    error_of(client.patch(path, json={"badge_public": True}, headers=bob.headers), 403)
    error_of(client.get(path, headers=charlie.headers), 404)
