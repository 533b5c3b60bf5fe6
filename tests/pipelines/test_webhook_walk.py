"""From a delivery to the end of what it started, on a real repository served by git."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.kernel.db import Database
from config.settings import Settings
from tests.support.deliveries import deliver, payload
from tests.support.git_server import GitServer, serving
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, Seen, make_tools, pipeline, stage, step
from tests.support.repositories import Repository
from tests.support.secrets import keep_secret, tables_that_show
from tests.support.tenancy import make_workspace

API = "/api/v1"
TOKEN = "the-token-of-the-repository"
DEPLOY = "the-key-of-the-deployment"
SHOW = 'echo "branch=$BRANCH tag=$TAG event=$CI_EVENT pull=$CI_PULL_REQUEST $CI_PULL_REQUEST_BRANCH'
SHOW += ' to=$CI_PULL_REQUEST_TARGET"; cat file'


@dataclass
class Host:
    """A private repository on a code host, whose deliveries reach the platform."""

    client: FlaskClient
    alice: Person
    engine: Engine
    repository: Repository
    url: str
    secret: str = ""

    def deliver(self, name: str, **change: Any) -> list[str]:
        """Deliver an event of this repository and return the executions it started."""
        given = payload(name) | change
        given["repository"] = given["repository"] | {"clone_url": self.url}
        found: list[str] = data_of(deliver(self.client, name, self.secret, given))["executions"]
        return found

    def deliver_pull_request(self, commit: str, branch: str = "fix", *, fork: bool = False) -> str:
        """Deliver that pull request 2 was opened, and return the execution it started."""
        request = payload("github_pull_request_opened")["pull_request"]
        request["head"] |= {"sha": commit, "ref": branch}
        request["base"]["ref"] = "main"
        if fork:
            request["head"]["repo"]["id"] += 1
        return self.deliver("github_pull_request_opened", pull_request=request)[0]

    def ended(self, execution_id: str) -> Seen:
        """Do all that is due and look at an execution."""
        self.engine.drain()
        return self.engine.look(UUID(execution_id))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with serving(GitServer(tmp_path / "served", login=("git", TOKEN))) as server:
        yield server


@pytest.fixture
def host(
    client: FlaskClient, settings: Settings, database: Database, alice: Person, server: GitServer, tmp_path: Path
) -> Host:
    repository = Repository(server.root / "shop")
    repository.commit({"file": "main\n"})
    workspace = make_workspace(database, alice, repository_url=server.url("shop"))
    engine = Engine(database, make_tools(settings, settings.data_dir, allow_private_addresses=True), workspace)
    for name, value in (("REPOSITORY_TOKEN", TOKEN), ("DEPLOY_KEY", DEPLOY)):
        keep_secret(database, engine.tools.vault, workspace, name, value)
    host = Host(client, alice, engine, repository, server.url("shop"))
    rotate = f"{API}/workspaces/{workspace.id}/webhook/rotate"
    host.secret = data_of(client.post(rotate, json={}, headers=alice.headers), 201)["secret"]
    triggers = [{"trigger_type": kind} for kind in ("git_push", "git_tag", "pull_request")]
    definition = pipeline(
        stage("show", step("show", SHOW), step("deploy", 'echo "${#DEPLOY_KEY}"', secrets=["DEPLOY_KEY"])),
        stage("release", "true", condition="BRANCH == 'main'"),
        triggers=triggers,
    )
    data_of(client.post(f"{API}/workspaces/{workspace.id}/pipelines", json=definition, headers=alice.headers), 201)
    return host


def propose(repository: Repository, content: str) -> str:
    """Make a commit that only the ref of pull request 2 has."""
    repository.git("checkout", "--quiet", "-b", "theirs")
    commit = repository.commit({"file": content})
    repository.git("update-ref", "refs/pull/2/head", commit)
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "--quiet", "-D", "theirs")
    return commit


def test_a_push_runs_the_pushed_commit(host: Host) -> None:
    commit = host.repository.commit({"file": "pushed\n"})
    head = {"id": commit, "message": "A change"}
    execution_id = host.deliver("github_push", ref="refs/heads/main", after=commit, head_commit=head)[0]
    host.repository.commit({"file": "newer\n"})
    seen = host.ended(execution_id)
    assert seen.statuses == {"show": "succeeded", "release": "succeeded"}
    lines = host.engine.text_of(seen.steps["show/show"])
    assert lines == ["branch=main tag= event=git_push pull=  to=", "pushed"]
    assert host.engine.text_of(seen.steps["show/deploy"]) == [str(len(DEPLOY))]


def test_the_name_of_a_branch_is_never_run(host: Host) -> None:
    name = "$(touch${IFS}owned)"
    host.repository.git("checkout", "--quiet", "-b", name)
    commit = host.repository.commit({"file": "odd\n"})
    head = {"id": commit, "message": "A change"}
    seen = host.ended(host.deliver("github_push", ref=f"refs/heads/{name}", after=commit, head_commit=head)[0])
    assert seen.statuses == {"show": "succeeded", "release": "skipped"}
    lines = host.engine.text_of(seen.steps["show/show"])
    assert lines == [f"branch={name} tag= event=git_push pull=  to=", "odd"]


@pytest.mark.parametrize("options", [[], ["--annotate", "--message", "A release"]])
def test_a_tag_runs_its_commit(host: Host, options: list[str]) -> None:
    host.repository.git("tag", *options, "v1")
    commit, tag = host.repository.git("rev-parse", "HEAD"), host.repository.git("rev-parse", "v1")
    head = {"id": commit, "message": "A change"}
    seen = host.ended(host.deliver("github_push_tag", ref="refs/tags/v1", after=tag, head_commit=head)[0])
    assert seen.execution.commit_sha == commit
    lines = host.engine.text_of(seen.steps["show/show"])
    assert lines == ["branch= tag=v1 event=git_tag pull=  to=", "main"]
    assert seen.statuses["release"] == "skipped"


def test_a_tag_can_be_started_by_hand(host: Host) -> None:
    host.repository.git("tag", "v1")
    path = f"{API}/workspaces/{host.engine.workspace.id}/pipelines"
    made = data_of(host.client.get(path, headers=host.alice.headers))[0]
    start = f"{API}/pipelines/{made['id']}/executions"
    data = data_of(host.client.post(start, json={"tag": "v1"}, headers=host.alice.headers), 202)
    assert (data["branch"], data["tag"]) == (None, "v1")
    assert host.ended(data["id"]).statuses["show"] == "succeeded"
    both = {"tag": "v1", "branch": "main"}
    assert error_of(host.client.post(start, json=both, headers=host.alice.headers), 422)["errors"][0]["field"] == "tag"


@pytest.mark.parametrize("bare_commits", [True, False])
def test_a_pull_request_runs_its_own_commit_under_a_name_of_ours(
    host: Host, server: GitServer, bare_commits: bool
) -> None:
    server.speaks_version_2 = bare_commits
    commit = propose(host.repository, "proposed\n")
    seen = host.ended(host.deliver_pull_request(commit, "main"))
    lines = host.engine.text_of(seen.steps["show/show"])
    assert lines == ["branch=pull/2 tag= event=pull_request pull=2 main to=main", "proposed"]
    # Its branch is called main in the fork; the condition of the release asks for ours.
    assert seen.statuses == {"show": "succeeded", "release": "skipped"}


def test_a_forks_pull_request_gets_no_secrets_until_it_is_approved(host: Host) -> None:
    commit = propose(host.repository, "theirs\n")
    execution_id = host.deliver_pull_request(commit, fork=True)
    seen = host.ended(execution_id)
    assert seen.step_statuses == {"show/show": "succeeded", "show/deploy": "failed", "release/run": "skipped"}
    assert "nobody" not in str(seen.steps["show/deploy"].reason)
    assert "it gets none until somebody approves it" in str(seen.steps["show/deploy"].reason)
    path = f"{API}/executions/{execution_id}/trust"
    approved = data_of(host.client.post(path, headers=host.alice.headers), 202)
    again = host.ended(approved["id"])
    assert (again.execution.trusted, again.execution.commit_sha, again.execution.number) == (True, commit, 2)
    assert again.execution.created_by == host.alice.user.id
    assert host.engine.text_of(again.steps["show/deploy"]) == [str(len(DEPLOY))]
    assert host.engine.text_of(again.steps["show/show"])[1] == "theirs"
    for twice in (path, f"{API}/executions/{approved['id']}/trust"):
        assert error_of(host.client.post(twice, headers=host.alice.headers), 409)["code"] == "INVALID_STATE"


def test_an_approval_holds_for_one_commit(host: Host) -> None:
    first = host.deliver_pull_request(propose(host.repository, "harmless\n"), fork=True)
    data_of(host.client.post(f"{API}/executions/{first}/trust", headers=host.alice.headers), 202)
    second = host.deliver_pull_request(propose(host.repository, "evil\n"), fork=True)
    seen = host.ended(second)
    assert (seen.execution.trusted, seen.steps["show/deploy"].status) == (False, "failed")
    assert host.engine.look(UUID(first)).execution.status == "cancelled"


def test_a_fork_cannot_name_the_token_that_opens_the_repository(host: Host) -> None:
    path = f"{API}/workspaces/{host.engine.workspace.id}/pipelines"
    peep = step("peep", 'echo "[$REPOSITORY_TOKEN]"; git config --list; env', secrets=["REPOSITORY_TOKEN"])
    search = step("search", "grep -rE 'the-token-of-the-[r]epository' . && exit 1 || echo nothing")
    definition = pipeline(stage("a", peep), stage("b", search), name="spy", triggers=[{"trigger_type": "pull_request"}])
    data_of(host.client.post(path, json=definition, headers=host.alice.headers), 201)
    commit = propose(host.repository, "theirs\n")
    request = payload("github_pull_request_opened")["pull_request"]
    request["head"] |= {"sha": commit, "repo": None}
    request["base"]["ref"] = "main"
    for execution_id in host.deliver("github_pull_request_opened", pull_request=request):
        seen = host.ended(execution_id)
        if "b" in seen.stages:
            assert seen.step_statuses == {"a/peep": "failed", "b/search": "succeeded"}
            assert host.engine.text_of(seen.steps["b/search"]) == ["nothing"]
    assert tables_that_show(host.engine.database, TOKEN) == []
