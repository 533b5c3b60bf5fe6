"""Private repositories: opened by two secrets of the workspace, which nobody sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kernel.db import Database
from app.tenancy import Organization
from config.settings import Settings
from tests.support.git_server import GitServer, serving
from tests.support.identity import Person
from tests.support.pipelines import Engine, make_tools, pipeline, stage
from tests.support.repositories import Repository
from tests.support.secrets import files_that_show, keep_secret, tables_that_show
from tests.support.tenancy import make_workspace

TOKEN = "ghp_0123456789abcdefghij"


@pytest.fixture
def server(shop: Repository) -> Iterator[GitServer]:
    """A server that gives the shop to `git` and its token alone."""
    with serving(GitServer(shop.path.parent, login=("git", TOKEN))) as server:
        yield server


@pytest.fixture
def runner(
    settings: Settings, database: Database, alice: Person, server: GitServer, shop: Repository, tmp_path: Path
) -> Engine:
    workspace = make_workspace(database, alice, repository_url=server.url(shop.name))
    return Engine(database, make_tools(settings, tmp_path, allow_private_addresses=True), workspace)


def keep(runner: Engine, name: str, value: str) -> None:
    keep_secret(runner.database, runner.tools.vault, runner.workspace, name, value)


def test_a_token_opens_a_private_repository_and_is_seen_by_no_step(runner: Engine, tmp_path: Path) -> None:
    keep(runner, "REPOSITORY_TOKEN", TOKEN)
    # The shell puts it together, so that no definition holds it.
    script = f"ls; env | grep -c REPOSITORY || true; grep -rc ghp_ .git/config || true; echo {TOKEN[:9]}''{TOKEN[9:]}"
    seen = runner.run(pipeline(stage("build", script)))
    assert seen.statuses == {"build": "succeeded"}
    assert runner.text_of(seen.steps["build/run"]) == ["README.md", "0", "0", "***"]
    assert tables_that_show(runner.database, TOKEN) == []
    assert files_that_show(tmp_path, TOKEN) == []


def test_a_user_name_goes_with_the_token(runner: Engine, server: GitServer) -> None:
    server.login = ("alice-of-the-shop", TOKEN)
    keep(runner, "REPOSITORY_USERNAME", "alice-of-the-shop")
    keep(runner, "REPOSITORY_TOKEN", TOKEN)
    seen = runner.run(pipeline(stage("build", "echo alice-of-the-shop")))
    assert runner.text_of(seen.steps["build/run"]) == ["***"]


def test_a_private_repository_without_a_token_says_what_to_set(runner: Engine) -> None:
    seen = runner.run(pipeline(stage("build")))
    error = seen.execution.error or {}
    assert (seen.execution.status, error["code"]) == ("failed", "REPOSITORY_ACCESS_DENIED")
    assert "set the secret REPOSITORY_TOKEN of this workspace" in error["message"]


def test_a_wrong_token_is_refused_and_shown_nowhere(runner: Engine, tmp_path: Path) -> None:
    keep(runner, "REPOSITORY_TOKEN", "ghp_wrong_wrong_wrong")
    seen = runner.run(pipeline(stage("build")))
    assert (seen.execution.error or {})["code"] == "REPOSITORY_ACCESS_DENIED"
    assert tables_that_show(runner.database, "ghp_wrong_wrong_wrong") == []
    assert files_that_show(tmp_path, "ghp_wrong_wrong_wrong") == []


def test_a_step_may_name_the_token(runner: Engine) -> None:
    keep(runner, "REPOSITORY_TOKEN", TOKEN)
    named = {"name": "push", "run": 'echo "${#REPOSITORY_TOKEN}"', "secrets": ["REPOSITORY_TOKEN"]}
    seen = runner.run(pipeline(stage("build", named)))
    assert runner.text_of(seen.steps["build/push"]) == [str(len(TOKEN))]


def test_the_token_of_an_organization_opens_no_repository(runner: Engine) -> None:
    """Any host that some workspace of it names would be sent it."""
    with runner.database.transaction() as session:
        organization = session.get_one(Organization, runner.workspace.organization_id)
    keep_secret(runner.database, runner.tools.vault, organization, "REPOSITORY_TOKEN", TOKEN)
    seen = runner.run(pipeline(stage("build")))
    assert (seen.execution.error or {})["code"] == "REPOSITORY_ACCESS_DENIED"
