"""Bad input from end to end: what strangers, repositories and earlier stages send, and what becomes of it.

What one part alone has to refuse is tried beside that part: signatures and payloads in triggers/, archives of caches in
test_cache_archive.py, reports in test_junit.py, schedules in definition/test_cron.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.kernel.store import BlobStore
from app.pipelines import NeededArtifact
from config.settings import Settings
from tasks.pipelines.bring_artifacts import ArtifactInTheWay, bring_artifacts
from tests.support.deliveries import changed, deliver, make_pipeline, make_secret
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, make_tools, pipeline, stage, step
from tests.support.repositories import Repository
from tests.support.secrets import keep_secret
from tests.support.tenancy import make_workspace

API = "/api/v1"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\r\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def engine_for(settings: Settings, database: Database, alice: Person, repository: Repository) -> Engine:
    workspace = make_workspace(database, alice, "Bad", repository_url=repository.url)
    return Engine(database, make_tools(settings, settings.data_dir), workspace)


def test_an_artifact_is_not_brought_through_a_link_of_the_checkout(
    settings: Settings, database: Database, alice: Person, tmp_path: Path, outside: Path
) -> None:
    repository = Repository(tmp_path / "linked")
    (repository.path / "out").symlink_to(outside)
    repository.commit({"README.md": "A link.\n"}, "Lead outside")
    engine = engine_for(settings, database, alice, repository)
    make = "rm out; mkdir out; echo escaped >out/file"
    seen = engine.run(pipeline(stage("a", make, artifacts=["out/file"]), stage("b", needs=["a"])))
    assert seen.statuses == {"a": "succeeded", "b": "failed"}
    assert (seen.stages["b"].error or {})["code"] == "ARTIFACT_IN_THE_WAY"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", ["../outside/file", "a/../../outside/file", "/outside/file", ".."])
def test_an_artifact_whose_path_leads_out_is_not_brought(tmp_path: Path, outside: Path, path: str) -> None:
    store = BlobStore(f"file://{tmp_path}/store")
    store.put("key", b"escaped")
    root = tmp_path / "root"
    root.mkdir()
    named = path.replace("/outside", str(outside)) if path.startswith("/") else path
    with pytest.raises(ArtifactInTheWay):
        bring_artifacts(store, [NeededArtifact(named, "key")], root)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("field", ["branch", "tag", "commit_sha"])
@pytest.mark.parametrize("value", ["--upload-pack=touch owned", "-x", "a b", "a\nb", "a..\0b", ""])
def test_what_git_would_take_for_an_option_starts_nothing(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, field: str, value: str
) -> None:
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/pipelines"
    made = data_of(client.post(path, json=pipeline(stage("a")), headers=alice.headers), 201)
    reply = client.post(f"{API}/pipelines/{made['id']}/executions", json={field: value}, headers=alice.headers)
    assert {fault["field"] for fault in error_of(reply, 422)["errors"]} == {field}


def test_a_branch_named_like_a_command_is_data_all_the_way(
    settings: Settings, database: Database, alice: Person, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "odd")
    repository.commit({"README.md": "Odd.\n"}, "Begin")
    name = "$(touch${IFS}owned)"
    repository.git("branch", name)
    engine = engine_for(settings, database, alice, repository)
    look = step("look", 'ls; echo "$BRANCH"')
    kept = {"artifacts": ["README.md"], "cache": [{"key": "k-${BRANCH}", "paths": ["README.md"]}]}
    seen = engine.run(pipeline(stage("a", look, **kept), concurrency={"group": "deploy-${BRANCH}"}), branch=name)
    assert seen.statuses == {"a": "succeeded"}
    assert engine.text_of(seen.steps["a/look"]) == ["README.md", name]
    assert seen.execution.concurrency_group == f"deploy-{name}"


def test_a_delivery_of_a_branch_that_is_an_option_runs_nothing_of_it(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    workspace = make_workspace(database, alice, repository_url="git@github.com:codertocat/hello-world.git")
    secret = make_secret(client, alice, workspace)
    make_pipeline(client, alice, workspace)
    hostile = changed("github_push", "ref", to="refs/heads/--upload-pack=touch owned")
    assert data_of(deliver(client, "github_push", secret, hostile))["executions_triggered"] == 0


@pytest.mark.parametrize("encode", ["cat", "base64 -w0", "sed 's/^/> /'"])
def test_a_secret_of_several_lines_is_given_whole_and_shown_in_no_form(engine_of_alice: Engine, encode: str) -> None:
    keep_secret(engine_of_alice.database, engine_of_alice.tools.vault, engine_of_alice.workspace, "KEY", KEY)
    script = f'printf %s "$KEY" | wc -c; printf %s "$KEY" | {encode}'
    seen = engine_of_alice.run(pipeline(stage("a", step("s", script, secrets=["KEY"]))))
    size, *shown = engine_of_alice.text_of(seen.steps["a/s"])
    assert int(size) == len(KEY)
    text = "\n".join(shown)
    assert "***" in text
    for part in ("MIIEvQ", "hkiG9w", "BEGIN KEY", "TUlJRXZR"):
        assert part not in text


@pytest.mark.parametrize("name", ["REPOSITORY_TOKEN", "REPOSITORY_USERNAME"])
def test_a_login_with_a_line_break_is_not_given_to_git(
    settings: Settings, database: Database, alice: Person, engine_of_alice: Engine, name: str
) -> None:
    values: dict[str, Any] = {"REPOSITORY_TOKEN": "token", name: "x\nhost=evil.example.com"}
    for each, value in values.items():
        keep_secret(database, engine_of_alice.tools.vault, engine_of_alice.workspace, each, value)
    seen = engine_of_alice.run(pipeline(stage("a")))
    assert (seen.execution.error or {})["code"] == "REPOSITORY_ACCESS_DENIED"
    assert "evil" not in str(seen.execution.error)
