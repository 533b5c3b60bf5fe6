"""docs/pipelines.md says what the parser does: every key with its default, every example, every variable."""

import re
from pathlib import Path

import pytest

from app.pipelines.definition import (
    RESERVED_NAMES,
    RunContext,
    State,
    language,
    make_plan,
    parse,
    pipeline_keys,
    should_run,
)
from app.pipelines.definition.forms import Record
from app.pipelines.definition.units import to_seconds

TEXT = (Path(__file__).parents[3] / "docs" / "pipelines.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^#{2,3} (.+?)\n(.*?)(?=^#{2,3} |\Z)", TEXT, re.MULTILINE | re.DOTALL))
RECORDS = {
    "The pipeline": pipeline_keys.PIPELINE,
    "A stage": language.STAGE,
    "A step": language.STEP,
    "Concurrency": pipeline_keys.CONCURRENCY,
    "Includes": pipeline_keys.PART,
    "An approval": language.APPROVAL,
    "An environment": language.DEPLOYS_TO,
    "limits": language.LIMITS,
    "config": language.STEP_CONFIG,
    "A matrix": language.MATRIX,
    "An artifact": language.ARTIFACT,
    "A cache": language.CACHE,
    "A service": language.SERVICE,
    "Reports": language.REPORTS,
    "A trigger": pipeline_keys.TRIGGER,
    "trigger config": pipeline_keys.TRIGGER.keys["config"].form,
    "Notifications": pipeline_keys.NOTIFICATIONS,
    "A target": pipeline_keys.TARGET,
    "target config": pipeline_keys.TARGET.keys["config"].form,
}


def rows_of(section: str) -> list[list[str]]:
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1:]]


@pytest.mark.parametrize("section", RECORDS)
def test_every_key_is_documented_with_its_default(section):
    record = RECORDS[section]
    assert isinstance(record, Record)
    documented = {row[0].strip("`"): row[2].strip("`") for row in rows_of(section)}

    assert documented == {
        name: "required" if key.required else "" if key.default is None else str(key.default).lower()
        for name, key in record.keys.items()
    }


EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("example", [one for one in EXAMPLES if "stages:" not in one])
def test_every_example_of_a_part_is_valid(example):
    assert parse(f"{example}\nstages: [{{name: a, steps: [{{name: b, run: 'true'}}]}}]", "yaml").triggers


@pytest.mark.parametrize("example", [one for one in EXAMPLES if "stages:" in one])
def test_every_example_is_a_valid_definition(example):
    plan = make_plan(parse(example, "yaml"), RunContext.blank("docs"))

    assert [stage.name for stage in plan.stages] in (
        ["lint", "test (3.11, postgres)", "test (3.12, postgres)", "test (3.12, sqlite)", "release"],
        ["test"],
        ["test (3.12)", "test (3.13)"],
        ["build", "ship"],
        [],  # of one that includes files the plan is made when they are read
    )


@pytest.mark.parametrize(("condition", "given", "result"), rows_of("Conditions"))
def test_every_documented_condition_gives_its_result(condition, given, result):
    variables = dict(re.findall(r"`(\w+)=([^`]*)`", given))
    state = State(failed="after a failure" in given)

    assert should_run(condition.strip("`").replace("\\|", "|"), variables, state) is (result == "true")


def test_every_built_in_variable_is_documented():
    documented = {name for row in rows_of("Variables") for name in re.findall(r"`(\w+)`", row[0])}

    assert documented - {"CI"} == RESERVED_NAMES


def test_the_documented_default_of_retention_is_the_one_that_holds():
    assert to_seconds(language.ARTIFACT.keys["retention"].default) == language.DEFAULT_RETENTION


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("Stages; steps of a stage", [language.MAX_STAGES, language.MAX_STEPS]),
        ("Cells of a matrix; axes; stages with all matrices", [language.MAX_CELLS, language.MAX_AXES, 512]),
    ],
)
def test_documented_limits_are_those_that_hold(words, limit):
    row = next(row for row in rows_of("Limits") if row[0] == words)

    assert [int(number) for number in row[1].split("; ")] == limit
