"""Files of GitLab CI."""

from __future__ import annotations

import pytest

from app.pipelines.definition import Definition, parse
from cli.converting.gitlab.expressions import Unreadable, read_expression
from cli.converting.gitlab.variables import Known
from tests.cli.conftest import FILES, Converter

TEXT = (FILES / "gitlab" / ".gitlab-ci.yml").read_text()


@pytest.fixture
def definition(converted: Converter) -> Definition:
    return parse(converted("gitlab", TEXT).text, "yaml")


def test_jobs_wait_for_the_stage_before_or_for_what_they_need(definition: Definition) -> None:
    assert {stage.name: stage.depends_on for stage in definition.stages} == {
        "build": (),
        "test": ("build",),
        "docs": (),
        "ship": ("build", "docs"),
    }


def test_extends_references_and_defaults_are_written_out(definition: Definition) -> None:
    build, test = definition.stages[:2]
    assert build.environment == test.environment == {"MODE": "base"}
    assert "pip install -r requirements.txt\ntox -e py$PYTHON\n" in (test.steps[0].run or "")
    assert [step.name for step in test.steps] == ["script", "after_script"]
    assert test.steps[1].when == "always"
    assert build.cache is not None
    assert (build.cache[0].key, build.cache[0].policy) == ("pip-${hash:requirements.txt}", "pull")


def test_a_parallel_matrix_has_the_cells_of_all_its_parts(definition: Definition) -> None:
    matrix = definition.stages[1].matrix
    assert matrix is not None
    assert [tuple(cell.values()) for cell in matrix.cells()] == [
        ("3.11", "sqlite"),
        ("3.12", "sqlite"),
        ("3.12", "postgres"),
    ]


def test_the_image_and_the_services_of_a_job_are_taken_over(definition: Definition) -> None:
    build, test = definition.stages[:2]
    assert (build.image, build.services) == ("python:3.12", None)
    assert test.services is not None
    assert [(each.name, each.image, each.environment["MODE"]) for each in test.services] == [
        ("postgres", "postgres:16", "base")
    ]


def test_a_manual_job_needs_an_approval(definition: Definition) -> None:
    assert definition.stages[3].approval is not None


def test_an_environment_is_deployed_to(definition: Definition) -> None:
    assert definition.stages[3].deploys_to is not None
    assert definition.stages[3].deploys_to.name == "production"


def test_old_names_are_exported_to_scripts(definition: Definition) -> None:
    assert (definition.stages[0].steps[0].run or "").startswith(
        'export CI_COMMIT_REF_NAME="${BRANCH}${TAG}"\nexport CI_PROJECT_DIR="${WORKSPACE}"\n'
        'export PIP_CACHE_DIR="$CI_PROJECT_DIR/.cache/pip"\n'
    )


def test_what_cannot_be_taken_over_is_listed_with_its_line(converted: Converter) -> None:
    lost = {(note.line, note.what) for note in converted("gitlab", TEXT).notes if note.weight == "lost"}
    assert {(5, "include"), (12, "workflow: rules"), (43, "extends"), (58, "rules: changes")} <= lost
    assert {(35, "CI_PROJECT_NAME"), (73, "needs"), (76, "job child")} <= lost


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ('$CI_COMMIT_BRANCH == "main"', "${BRANCH} == 'main'"),
        ('$CI_PIPELINE_SOURCE == "push"', "CI_EVENT == 'git_push' || CI_EVENT == 'git_tag'"),
        ("$CI_COMMIT_TAG =~ /^v/", "startsWith(${TAG}, 'v')"),
        ("$CI_COMMIT_TAG !~ /-rc$/ && $X", "!(endsWith(${TAG}, '-rc')) && ${X} != ''"),
        ("$CI_COMMIT_REF_NAME =~ /^(main|next)$/", "\"${BRANCH}${TAG}\" == 'main' || \"${BRANCH}${TAG}\" == 'next'"),
        ("$X && ($CI_OPEN_MERGE_REQUESTS || $CI_PROJECT_PATH == 'a/b')", "${X} != ''"),
        ("$X == null", "${X} == ''"),
        ("($PY == '3' || $X) && $CI_MERGE_REQUEST_IID", "(matrix.PY == '3' || ${X} != '') && ${CI_PULL_REQUEST} != ''"),
    ],
)
def test_an_expression_is_said_in_our_words(text: str, condition: str) -> None:
    assert read_expression(text, Known(frozenset({"X"}), axes=frozenset({"PY"}))) == condition


@pytest.mark.parametrize("text", ["$CI_COMMIT_TITLE == 'x'", "$X =~ /a[0-9]+/", "$X =~ $Y", "$X ==", "'a' == 'a'"])
def test_an_expression_that_cannot_be_said_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_expression(text, Known(frozenset({"X"})))
