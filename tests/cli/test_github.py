"""Workflows of GitHub Actions."""

from __future__ import annotations

import pytest

from app.pipelines.definition import Definition, parse
from cli.converting import NotConvertible
from cli.converting.github.conditions import read_condition
from cli.converting.github.contexts import Scope
from cli.converting.github.expressions import Unreadable
from tests.cli.conftest import FILES, Converter

WORKFLOWS = FILES / "github" / ".github" / "workflows"
SCOPE = Scope(axes={"python-version": "python_version"}, fixed={"os": "ubuntu-latest"}, variables=frozenset({"MODE"}))


@pytest.fixture
def definition(converted: Converter) -> Definition:
    return parse(converted("github", (WORKFLOWS / "tests.yml").read_text()).text, "yaml")


def test_triggers_keep_their_branches_paths_and_times(definition: Definition) -> None:
    kinds = [(each.trigger_type, each.config.path or each.config.cron_expression) for each in definition.triggers]
    assert kinds == [
        ("git_push", "src"),
        ("git_push", "pyproject.toml"),
        ("pull_request", None),
        ("schedule", "17 3 * * 1"),
    ]
    assert definition.triggers[0].config.branch_patterns == ("main", "release/**")


def test_needs_skip_a_job_that_was_left_out(definition: Definition) -> None:
    assert {stage.name: stage.depends_on for stage in definition.stages} == {
        "lint": (),
        "test": ("lint",),
        "publish": ("test",),
    }


def test_a_matrix_has_the_cells_that_run_on_linux_with_what_include_adds(definition: Definition) -> None:
    matrix = definition.stages[1].matrix
    assert matrix is not None
    assert [tuple(cell.values()) for cell in matrix.cells()] == [("3.11", "false"), ("3.12", "false"), ("3.14", "true")]


def test_a_script_exports_what_was_worked_out_and_names_its_secrets(definition: Definition) -> None:
    said = definition.stages[1].steps[1]
    assert said.secrets == ("CHAT_TOKEN", "HOOK")
    assert 'export TOKEN="${CHAT_TOKEN}"\nexport HOOK="${HOOK}/x"\n' in (said.run or "")
    assert said.condition == "failure() && (CI_EVENT == 'git_push' || CI_EVENT == 'git_tag')"


def test_an_environment_is_deployed_to(definition: Definition) -> None:
    assert definition.stages[2].deploys_to is not None
    assert definition.stages[2].deploys_to.name == "pypi"


def test_caches_artifacts_and_timeouts_are_taken_over(definition: Definition) -> None:
    stage = definition.stages[1]
    assert stage.cache is not None
    assert stage.cache[0].key == "tox-Linux-${matrix.python_version}-${hash:tox.ini,**/requirements*.txt}"
    assert stage.cache[0].paths == (".tox",)
    assert [(each.name, each.path, each.retention) for each in stage.artifacts] == [
        ("coverage", "src/.coverage*", 604800)
    ]
    assert (definition.stages[0].timeout, stage.steps[0].timeout) == (300, 1200)


def test_what_cannot_be_taken_over_is_listed_with_its_line(converted: Converter) -> None:
    notes = converted("github", (WORKFLOWS / "tests.yml").read_text()).notes
    lost = {(note.line, note.what) for note in notes if note.weight == "lost"}
    assert {(38, "runs-on"), (73, "runs-on"), (81, "services"), (87, "if"), (91, "reusable workflow")} <= lost
    assert (89, "uses: some/action@v1") in lost


def test_a_step_whose_condition_cannot_be_said_never_runs(definition: Definition) -> None:
    assert definition.stages[2].steps[-1].condition == "false"


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("github.ref == 'refs/heads/main'", "BRANCH == 'main'"),
        ("${{ !cancelled() }}", "always()"),
        ("always() && matrix.python-version != '3.9'", "always() && matrix.python_version != '3.9'"),
        ("startsWith(matrix.os, 'ubuntu')", None),
        ("matrix.os == 'windows-latest'", "false"),
        ("env.MODE == 'it''s'", r"${MODE} == 'it\'s'"),
        ("github.event_name != 'schedule' || env.MODE == 'a'", "!(CI_EVENT == 'schedule') || ${MODE} == 'a'"),
        ("contains(github.ref_name, 'rc')", "contains(\"${BRANCH}${TAG}\", 'rc')"),
        ("github.event.pull_request.head.repo.full_name == github.repository", None),
        ("github.ref_type == 'tag' && !inputs.dry-run", "TAG && !(${INPUT_DRY_RUN})"),
    ],
)  # fmt: skip
def test_a_condition_is_said_in_our_words(text: str, condition: str | None) -> None:
    assert read_condition(text, SCOPE) == condition


@pytest.mark.parametrize(
    "text", ["steps.a.outcome == 'failure'", "secrets.X != ''", "github.actor == 'me'", "a ||", "'", "toJSON(github)"]
)
def test_a_condition_that_cannot_be_said_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_condition(text, SCOPE)


def test_a_job_for_machines_of_ones_own_waits_for_a_runner(converted: Converter) -> None:
    a, b = "{runs-on: [self-hosted, GPU], steps: [{run: make}]}", "{runs-on: self-hosted, steps: [{run: make}]}"
    done = converted("github", f"jobs: {{a: {a}, b: {b}}}")
    assert [stage.runs_on for stage in parse(done.text, "yaml").stages] == [("gpu",), ("self-hosted",)]
    assert [note.what for note in done.notes if note.weight == "check"] == ["runs-on", "runs-on"]


def test_a_container_and_its_services_are_taken_over(converted: Converter) -> None:
    text = """
jobs:
  test:
    runs-on: ubuntu-latest
    container: {image: "python:${{ matrix.version }}", env: {MODE: x}, options: --cpus 1}
    strategy: {matrix: {version: ["3.11", "3.12"]}}
    services: {my_db: {image: "postgres:16", env: {POSTGRES_PASSWORD: only-here}}}
    steps: [{run: pytest}]
"""
    made = converted("github", text)
    stage = parse(made.text, "yaml").stages[0]
    assert (stage.image, stage.environment) == ("python:${matrix.version}", {"MODE": "x"})
    assert stage.services is not None
    assert [(each.name, each.image, each.environment) for each in stage.services] == [
        ("my-db", "postgres:16", {"POSTGRES_PASSWORD": "only-here"})
    ]
    assert [note.what for note in made.notes if note.weight == "lost"] == ["container: options"]


def test_a_file_without_jobs_is_refused(converted: Converter) -> None:
    with pytest.raises(NotConvertible, match="has no jobs"):
        converted("github", "on: push")


def test_a_workflow_of_actions_alone_is_refused(converted: Converter) -> None:
    with pytest.raises(NotConvertible, match="nothing in it"):
        converted("github", "jobs: {a: {runs-on: ubuntu-latest, steps: [{uses: some/action@v1}]}}")
