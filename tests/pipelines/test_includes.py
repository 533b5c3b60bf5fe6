"""Includes: stages in files of the repository, as they are at the commit of the run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.pipelines.definition import DefinitionInvalid, Plan, parse_tree
from app.pipelines.definition.including import MAX_DEPTH, MAX_FILES
from config.settings import Settings
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, Seen, make_tools, pipeline, stage, step
from tests.support.repositories import Repository
from tests.support.secrets import keep_secret
from tests.support.tenancy import make_workspace

TESTS = """stages:
  - name: test
    matrix: {python: ["3.11", "3.12"]}
    steps:
      - {name: pytest, run: "echo tested on $MATRIX_PYTHON"}
"""
WRONG = "stages:\n  - name: test\n    steps:\n      - name: pytest\n        run: pytest\n        tiemout: 10m\n"


class Shop:
    """A repository of this test's own, and an engine for it."""

    def __init__(self, repository: Repository, engine: Engine) -> None:
        self.repository = repository
        self.engine = engine
        self.runs = 0

    def commit(self, **files: str) -> str:
        named = {f"ci/{name}.yml": text for name, text in files.items()}
        return self.repository.commit(named, "Change the pipeline")

    def run(self, *paths: str, stages: Any = (), **start: Any) -> Seen:
        self.runs += 1
        return self.engine.run(including(*paths, stages=stages, name=f"run {self.runs}"), **start)

    def refusal(self, *paths: str, stages: Any = ()) -> dict[str, Any]:
        seen = self.run(*paths, stages=stages)
        assert (seen.execution.status, seen.stages) == ("failed", {})
        return seen.execution.error or {}


def including(*paths: str, stages: Any = (), **fields: Any) -> dict[str, Any]:
    whole = pipeline(*stages, include=[f"ci/{path}.yml" for path in paths], **fields)
    return whole if stages else {name: value for name, value in whole.items() if name != "stages"}


@pytest.fixture
def shop(settings: Settings, database: Database, alice: Person, tmp_path: Path) -> Shop:
    repository = Repository(tmp_path / "included")
    repository.commit({"README.md": "A shop.\n", "ci/tests.yml": TESTS}, "Open the shop")
    workspace = make_workspace(database, alice, "Included", repository_url=repository.url)
    return Shop(repository, Engine(database, make_tools(settings, settings.data_dir), workspace))


def test_stages_of_an_included_file_run_beside_the_pipelines_own(shop: Shop) -> None:
    release = stage("release", "echo released", needs=["test"])
    seen = shop.run("tests", stages=[release])
    assert seen.statuses == {"test (3.11)": "succeeded", "test (3.12)": "succeeded", "release": "succeeded"}
    assert shop.engine.text_of(seen.steps["test (3.12)/pytest"]) == ["tested on 3.12"]
    plan = Plan.from_json(seen.execution.plan)
    assert plan.digest == seen.execution.plan_digest
    assert plan.pending is None
    (included,) = plan.included or ()
    assert (included.path, included.sha256) == ("ci/tests.yml", hashlib.sha256(TESTS.encode()).hexdigest())


def test_a_pipeline_may_be_in_its_repository_as_a_whole(shop: Shop) -> None:
    assert set(shop.run("tests").statuses.values()) == {"succeeded"}


def test_the_files_are_those_of_the_commit_and_stay_so_when_it_is_run_again(shop: Shop) -> None:
    first = shop.run("tests")
    digest = first.execution.plan_digest
    shop.commit(tests=TESTS.replace("tested", "changed"))
    shop.engine.retry(first.execution.id, whole=True)
    shop.engine.drain()
    again = shop.engine.look(first.execution.id)
    assert (again.execution.status, again.execution.plan_digest) == ("succeeded", digest)
    assert shop.engine.text_of(again.steps["test (3.11)/pytest"]) == ["tested on 3.11"]


def test_included_stages_have_images_where_there_is_an_engine(shop: Shop, settings: Settings) -> None:
    boxed = "{name: boxed, image: 'python:3', condition: 'false', steps: [{name: s, run: 'true'}]}"
    shop.commit(boxed=f"stages: [{boxed}]\n")
    assert "ci/boxed.yml, line 1," in shop.refusal("boxed")["message"]
    shop.engine.tools = make_tools(settings, settings.data_dir, container_engine="unix:///nowhere")
    assert shop.run("boxed").statuses == {"boxed": "skipped"}


def test_a_branch_includes_what_it_has_itself(shop: Shop) -> None:
    shop.repository.git("checkout", "--quiet", "-b", "feature")
    shop.commit(tests=TESTS.replace("tested", "of the feature"))
    shop.repository.git("checkout", "--quiet", "main")
    seen = shop.run("tests", branch="feature")
    assert shop.engine.text_of(seen.steps["test (3.11)/pytest"]) == ["of the feature on 3.11"]


def test_files_include_further_files_each_once(shop: Shop) -> None:
    shop.commit(
        all="include: [ci/tests.yml, ci/lint.yml]\n",
        lint="include: ci/all.yml\nstages: [{name: lint, depends_on: [test], steps: [{name: s, run: 'true'}]}]\n",
    )
    seen = shop.run("all", "tests", "lint")
    assert list(seen.statuses) == ["test (3.11)", "test (3.12)", "lint"]
    assert set(seen.statuses.values()) == {"succeeded"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            WRONG,
            "ci/tests.yml, line 6, column 9: stages[0].steps[0].tiemout: is not a known key; did you mean",
        ),
        ("stages: [", "ci/tests.yml, line 2, column 1"),
        ("triggers: [push]\nstages: []\n", "ci/tests.yml, line 1, column 1: triggers: is not a known key"),
        ("", "ci/tests.yml"),
        ("- a\n- b\n", "ci/tests.yml, line 1, column 1: the definition: must be a map"),
        ("stages: [{name: a, depends_on: [b], steps: [{name: s, run: x}]}]", "ci/tests.yml, line 1, column 33"),
        ("stages: [{name: own, steps: [{name: s, run: x}]}]", "is the name of a stage of ci/tests.yml too"),
        ("stages: [{name: a, depends_on: [own], steps: [{name: s, run: x}]}]", "makes a cycle: a -> own -> a"),
        ("a: &a [x]\nstages: [*b]", "ci/tests.yml, line 2"),
        ("include: [../secrets.yml]", "include[0]: is '../secrets.yml'; a path is inside the checkout"),
        ("x" * (300 * 1024), "ci/tests.yml"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_column(shop: Shop, text: str, said: str) -> None:
    shop.commit(tests=text)
    own = stage("own", needs=["a"] if "cycle" in said else [])
    error = shop.refusal("tests", stages=[own])
    assert error["code"] == "INCLUDE_INVALID"
    assert said in error["message"]
    faults = error["details"]["faults"]
    assert faults
    assert all(fault["file"] in ("ci/tests.yml", None) for fault in faults)


def test_a_file_that_is_not_there_is_named(shop: Shop) -> None:
    error = shop.refusal("missing")
    assert (error["code"], error["message"]) == ("FILE_NOT_FOUND", "The commit has no file 'ci/missing.yml'.")


def test_a_link_is_not_followed(shop: Shop) -> None:
    (shop.repository.path / "ci/link.yml").symlink_to("/etc/passwd")
    (shop.repository.path / "elsewhere").symlink_to("ci")
    shop.commit(other=TESTS)
    assert shop.refusal("link")["code"] == "FILE_NOT_FOUND"
    seen = shop.engine.run({"name": "through", "include": "elsewhere/tests.yml"})
    assert (seen.execution.error or {})["code"] == "FILE_NOT_FOUND"


def test_depth_number_and_size_are_bounded(shop: Shop) -> None:
    chain = {f"c{number}": f"include: ci/c{number + 1}.yml\n" for number in range(MAX_DEPTH + 2)}
    shop.commit(**chain)
    error = shop.refusal("c0")
    assert f"ci/c{MAX_DEPTH - 1}.yml, line 1, column 10: include: is included at depth" in error["message"]
    small = "stages: [{name: %s, steps: [{name: s, run: 'true'}]}]"
    many = {f"m{number}": small % f"s{number}" for number in range(MAX_FILES + 1)}
    half = ", ".join(f"ci/m{number}.yml" for number in range(MAX_FILES // 2))
    rest = ", ".join(f"ci/m{number}.yml" for number in range(MAX_FILES // 2, MAX_FILES + 1))
    shop.commit(**many, half=f"include: [{half}]", rest=f"include: [{rest}]")
    assert f"at most {MAX_FILES} are allowed" in shop.refusal("half", "rest")["message"]
    large = {f"l{number}": f"#{'x' * 250_000}\n" + small % f"l{number}" for number in range(5)}
    shop.commit(**large)
    assert "makes the included files larger than" in shop.refusal(*large)["message"]


def test_the_files_of_a_fork_are_a_forks_content(shop: Shop) -> None:
    keep_secret(shop.engine.database, shop.engine.tools.vault, shop.engine.workspace, "TOKEN", "a-value-of-the-shop")
    script = "stages: [{name: a, deploys_to: production, steps: [{name: s, run: env, secrets: [TOKEN]}]}]"
    head = shop.commit(tests=script)
    seen = shop.run("tests", branch="pull/7", commit_sha=head, trusted=False)
    assert seen.statuses == {"a": "failed"}
    assert "it deploys nowhere" in (seen.stages["a"].reason or "")
    shop.commit(tests=script.replace("deploys_to: production, ", ""))
    again = shop.run("tests", branch="pull/7", commit_sha=shop.repository.git("rev-parse", "HEAD"), trusted=False)
    assert "it gets none until somebody approves it" in (again.steps["a/s"].reason or "")


def test_a_host_that_is_away_can_be_tried_again(shop: Shop) -> None:
    execution_id = shop.engine.start(including("tests"))
    away = shop.repository.path.rename(shop.repository.path.with_name("away"))
    shop.engine.drain()
    assert shop.engine.look(execution_id).execution.status == "failed"
    away.rename(shop.repository.path)
    shop.engine.retry(execution_id)
    shop.engine.drain()
    assert shop.engine.look(execution_id).execution.status == "succeeded"


def test_it_can_be_cancelled_before_its_stages_are_known(shop: Shop) -> None:
    execution_id = shop.engine.start(including("tests"))
    shop.engine.cancel(execution_id)
    shop.engine.drain()
    assert shop.engine.look(execution_id).execution.status == "cancelled"


def test_the_api_shows_it_and_checks_what_it_can(client: FlaskClient, alice: Person, shop: Shop) -> None:
    path = f"/api/v1/workspaces/{shop.engine.workspace.id}/pipelines"
    made = data_of(client.post(path, json=including("tests"), headers=alice.headers), 201)
    assert made["definition"]["include"] == ["ci/tests.yml"]
    started = data_of(client.post(f"/api/v1/pipelines/{made['id']}/executions", json={}, headers=alice.headers), 202)
    assert started["stages"] == []
    shop.engine.drain()
    seen = data_of(client.get(f"/api/v1/executions/{started['id']}", headers=alice.headers))
    assert [one["name"] for one in seen["stages"]] == ["test (3.11)", "test (3.12)"]
    verdict = client.post(
        "/api/v1/pipelines/validate", json=including("tests", stages=[stage("own")]), headers=alice.headers
    )
    assert (data_of(verdict)["valid"], data_of(verdict)["stages"]) == (True, ["own"])
    patched = client.patch(f"/api/v1/pipelines/{made['id']}", json={"include": None}, headers=alice.headers)
    assert error_of(patched, 422)["errors"][0]["field"] == "stages"


@pytest.mark.parametrize(
    ("include", "path"),
    [
        ("/etc/passwd", "include"),
        (["a/../../b.yml"], "include[0]"),
        ([{"file": "a"}], "include[0].path"),
        ([], "include"),
        (["a"] * 21, "include"),
        ([5, None], "include[1]"),
    ],
)
def test_an_include_that_leads_elsewhere_is_refused(include: Any, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_tree({"name": "a", "include": include, "stages": [stage("a", step("s"))]})
    assert path in [fault.path for fault in refused.value.faults]


def test_without_includes_stages_are_required() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_tree({"name": "a"})
    assert [(fault.path, fault.message) for fault in refused.value.faults] == [
        ("stages", "is required, unless include names files that have stages")
    ]
    assert json.dumps(including("a")).count("stages") == 0
