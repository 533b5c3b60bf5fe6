"""Plans: what a run freezes, and which variables a step finds."""

import json
from dataclasses import replace

import pytest

from app.pipelines.definition import (
    RESERVED_NAMES,
    DefinitionInvalid,
    Directories,
    PathOutside,
    Plan,
    PlanCorrupt,
    RunContext,
    built_in_variables,
    make_plan,
    parse,
    parse_variables,
    stage_variables,
    step_variables,
)
from tests.pipelines.definition.examples import FULL, SMALL

RUN = RunContext(
    execution_id="0190-run",
    pipeline="everything",
    workspace_id="0190-place",
    repository_url="https://git.example.com/acme/shop.git",
    branch="main",
    trigger="manual",
    commit_sha="0123456789abcdef0123456789abcdef01234567",
)
PLACES = Directories("/w/source", "/w/build", "/w/artifacts")


def plan_of(text: str = FULL, **changes: object) -> Plan:
    return make_plan(parse(text, "yaml"), replace(RUN, **changes))


def test_a_plan_names_every_cell_and_what_it_waits_for():
    plan = plan_of()

    assert [stage.name for stage in plan.stages] == [
        "lint",
        "test (3.11, postgres)",
        "test (3.11, sqlite)",
        "test (3.12, postgres)",
        "test (3.13, postgres)",
        "deploy",
    ]
    assert plan.stages[1].depends_on == ("lint",)
    assert plan.stages[5].depends_on == tuple(stage.name for stage in plan.stages[1:5])
    assert plan.stage("test (3.12, postgres)").matrix == {"python": "3.12", "db": "postgres"}
    assert plan.stage("test (3.12, postgres)").stage == "test"
    with pytest.raises(KeyError):
        plan.stage("test")


def test_inherited_settings_are_spelled_out():
    lint, test, *_, deploy = plan_of().stages

    assert (lint.timeout, lint.steps[0].timeout, lint.steps[0].network) == (5400, 5400, False)
    assert (test.timeout, test.steps[0].timeout, test.retry_count) == (900, 600, 2)
    assert (deploy.retry_count, deploy.steps[0].retry_count, deploy.steps[0].network) == (1, 0, True)
    assert (deploy.steps[0].script, deploy.steps[0].argv) == ("./ship", ())
    assert (test.steps[0].script, test.steps[0].argv) == (None, ("pytest", "-q", "--maxfail", "1"))


def test_no_timeout_reaches_beyond_the_one_around_it():
    text = "timeout: 60\nstages: [{name: a, timeout: 90, steps: [{name: s, run: x, timeout: 10m}]}]"
    (stage,) = plan_of(text).stages

    assert (stage.timeout, stage.steps[0].timeout) == (60, 60)


def test_a_plan_survives_json_and_its_digest_with_it():
    plan = plan_of()
    stored = json.loads(json.dumps(plan.to_json(), sort_keys=True))

    assert Plan.from_json(stored) == plan
    assert stored["digest"] == plan.digest
    assert len(plan.digest) == 64


def test_the_digest_is_the_same_for_the_same_run_and_another_for_any_other():
    assert plan_of().digest == plan_of().digest
    assert plan_of().digest == plan_of(FULL.replace("timeout: 1h30m", "timeout: 90m")).digest
    assert len({plan_of().digest, plan_of(branch="dev").digest, plan_of(variables={"A": "b"}).digest}) == 3


def test_a_stored_plan_that_was_changed_is_refused():
    stored = plan_of(SMALL).to_json()
    stored["stages"][0]["steps"][0]["script"] = "make mischief"

    with pytest.raises(PlanCorrupt):
        Plan.from_json(stored)


def test_a_stronger_place_overrides_a_weaker_one():
    text = """\
environment: {A: pipeline, B: pipeline, C: pipeline, D: pipeline}
stages:
  - name: a
    environment: {C: stage, D: stage}
    matrix: {os: [linux]}
    steps: [{name: s, run: x, environment: {D: step}}]
"""
    plan = plan_of(text, variables={"B": "start", "C": "start", "D": "start"})
    (stage,) = plan.stages

    assert plan.environment_of(stage, stage.steps[0]) == {
        "A": "pipeline",
        "B": "start",
        "C": "stage",
        "D": "step",
        "MATRIX_OS": "linux",
    }
    assert plan.environment_of(stage)["D"] == "stage"


def test_the_built_in_variables_of_a_step():
    plan = plan_of()
    stage = plan.stages[1]
    variables = step_variables(plan, stage, stage.steps[0], commit_sha="f" * 40, attempt=2, directories=PLACES)

    assert variables["CI"] == variables["HEADRACE"] == "true"
    assert (variables["BRANCH"], variables["TAG"], variables["CI_TAG"]) == ("main", "", "")
    assert variables["CI_COMMIT_SHA"] == variables["BUILD_SHA"] == "f" * 40
    assert variables["CI_COMMIT_SHORT_SHA"] == "f" * 8
    assert variables["BUILD_ID"] == variables["EXECUTION_ID"] == "0190-run"
    assert variables["WORKSPACE"] == variables["SOURCE_DIR"] == "/w/source"
    assert (variables["BUILD_DIR"], variables["ARTIFACTS_DIR"]) == ("/w/build", "/w/artifacts")
    assert variables["WORKING_DIR"] == "/w/source/src/postgres"
    assert (variables["CI_PIPELINE"], variables["CI_STAGE"]) == ("everything", "test (3.11, postgres)")
    assert (variables["CI_STEP"], variables["CI_ATTEMPT"]) == ("pytest", "2")
    assert (variables["MATRIX_PYTHON"], variables["MATRIX_DB"], variables["LEVEL"]) == ("3.11", "postgres", "step")


def test_every_built_in_name_is_reserved_but_ci():
    assert {*built_in_variables(plan_of()), "WORKING_DIR"} - {"CI"} == RESERVED_NAMES


def test_ci_may_be_switched_off():
    plan = plan_of(SMALL + "environment: {CI: ''}\n")

    assert stage_variables(plan, plan.stages[0])["CI"] == ""


def test_a_stages_variables_are_known_before_any_directory_is():
    plan = plan_of(tag="v1.2")
    variables = stage_variables(plan, plan.stages[1])

    assert (variables["TAG"], variables["CI_STAGE"], variables["MATRIX_DB"]) == (
        "v1.2",
        "test (3.11, postgres)",
        "postgres",
    )
    assert variables["WORKSPACE"] == ""


def test_a_working_directory_that_a_start_variable_leads_outside_is_refused():
    text = "stages: [{name: a, steps: [{name: s, run: x, working_directory: '${WHERE}'}]}]"
    plan = plan_of(text, variables={"WHERE": "../../etc"})

    with pytest.raises(PathOutside):
        step_variables(plan, plan.stages[0], plan.stages[0].steps[0], commit_sha="f", attempt=1, directories=PLACES)


def test_variables_of_a_start_are_text():
    assert parse_variables({"A": "x", "N": 1.5, "B": True}) == {"A": "x", "N": "1.5", "B": "true"}
    assert parse_variables(None) == {}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([], "variables"),
        ({"1": "x"}, "variables['1']"),
        ({"A": None}, "variables.A"),
        ({"A": "x" * 5000}, "variables.A"),
        ({"A": "a\x00"}, "variables.A"),
        ({"BRANCH": "x"}, "variables.BRANCH"),
        ({"MATRIX_OS": "x"}, "variables.MATRIX_OS"),
        ({f"A{n}": "x" for n in range(101)}, "variables"),
    ],
)
def test_variables_of_a_start_are_refused_by_name(value, path):
    with pytest.raises(DefinitionInvalid) as refusal:
        parse_variables(value)

    assert [fault.path for fault in refusal.value.faults] == [path]


@pytest.mark.parametrize("name", ["BASH_ENV", "PATH", "LD_PRELOAD", "GIT_SSH_COMMAND", "PYTHONPATH", "PIP_INDEX_URL"])
def test_who_starts_a_pipeline_brings_no_code_by_its_variables(name):
    with pytest.raises(DefinitionInvalid) as refusal:
        parse_variables({name: "x"}, at_start=True)

    assert [fault.path for fault in refusal.value.faults] == [f"variables.{name}"]
    assert parse_variables({name: "x"}) == {name: "x"}


def test_when_becomes_a_condition_and_what_is_not_said_is_not_in_the_plan():
    text = "stages: [{name: a, when: always, condition: TAG, steps: [{name: s, run: x, when: on_failure}]}]"
    (stage,) = plan_of(text).stages
    plain = plan_of(text.replace("when: always, ", "")).to_json()["stages"][0]

    assert (stage.condition, stage.steps[0].condition) == ("always() && (TAG)", "failure()")
    assert "approval" not in plain
    assert "concurrency" not in plan_of(text).to_json()
