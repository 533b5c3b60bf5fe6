"""Steps name secrets; what cannot be given is refused with its line."""

from __future__ import annotations

import pytest

from app.pipelines.definition import Definition, Plan, RunContext, make_plan, parse
from tests.pipelines.definition.examples import faults_of, only_fault_of, place_of

PIPELINE = """\
name: shop
environment: {LEVEL: pipeline}
stages:
  - name: release
    environment: {REGION: eu}
    steps:
      - name: push
        run: make push
        environment: {TARGET: shop}
        secrets:
          - REGISTRY_TOKEN
          - %s
      - {name: tell, run: make tell}
"""


def test_a_plan_holds_the_names_of_the_secrets_of_each_step_and_of_no_other() -> None:
    definition = parse(PIPELINE % "SIGNING_KEY", "yaml")
    plan = make_plan(Definition.from_json(definition.to_json()), RunContext.blank("shop"))
    again = Plan.from_json(plan.to_json())
    assert [step.secrets for step in again.stages[0].steps] == [("REGISTRY_TOKEN", "SIGNING_KEY"), ()]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("REGISTRY_TOKEN", "is named twice"),
        ("LEVEL", "one name cannot be both"),
        ("REGION", "one name cannot be both"),
        ("TARGET", "one name cannot be both"),
        ("BRANCH", "is the name of a built-in variable"),
        ("CI", "is the name of a built-in variable"),
        ("MATRIX_OS", "begins with MATRIX_"),
        ("LD_PRELOAD", "loader"),
        ("1A", "a secret's name is letters"),
        ("a-b", "a secret's name is letters"),
        ("true", "must be text"),
        ("{A: b}", "must be text"),
        ("x" * 101, "at most 100"),
    ],
)
def test_a_secret_that_cannot_be_given_is_refused_with_its_line_and_column(name: str, words: str) -> None:
    fault = only_fault_of(PIPELINE % name)
    assert fault.path == "stages[0].steps[0].secrets[1]"
    assert words in fault.message
    line, column = place_of(PIPELINE, "- %s")
    assert (fault.line, fault.column) == (line, column + 2)


def test_the_long_spelling_of_an_environment_collides_too() -> None:
    text = """\
stages:
  - name: a
    steps:
      - {name: s, config: {script: make, environment: {TOKEN: x}}, secrets: [TOKEN]}
"""
    fault = only_fault_of(text)
    assert (fault.line, fault.column) == (4, place_of(text, "TOKEN]")[1])


def test_a_step_names_at_most_fifty() -> None:
    names = ", ".join(f"S{number}" for number in range(51))
    text = f"stages: [{{name: a, steps: [{{name: s, run: x, secrets: [{names}]}}]}}]"
    assert [fault.path for fault in faults_of(text)] == ["stages[0].steps[0].secrets"]
