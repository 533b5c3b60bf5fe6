"""The labels of the runner that takes a stage: how they are written, and what a run makes of them."""

import pytest

from app.pipelines.definition import (
    SHELL_ONLY,
    DefinitionInvalid,
    Plan,
    RunContext,
    make_plan,
    parse,
    runner_labels,
)
from tests.pipelines.definition.examples import SMALL


def labels_of(runs_on: str, *, matrix: str = "", variables: dict[str, str] | None = None) -> list[list[str]]:
    text = f"""\
name: small
stages:
  - name: build
    runs_on: {runs_on}
    {f"matrix: {matrix}" if matrix else ""}
    steps: [{{name: compile, run: make}}]
"""
    run = RunContext("e", "p", "w", "", "main", "manual", variables=variables or {})
    plan = make_plan(parse(text, "yaml"), run)
    assert Plan.from_json(plan.to_json()) == plan
    return [runner_labels(plan, stage) for stage in plan.stages]


@pytest.mark.parametrize("written", ["GPU", "[gpu]", "[gpu, GPU]"])
def test_one_label_or_several_are_read_in_small_letters(written):
    assert labels_of(written) == [["gpu"]]


def test_each_cell_of_a_matrix_may_ask_for_another_runner():
    written = '[linux, "${matrix.arch}"]'
    assert labels_of(written, matrix="{arch: [arm64, x64]}") == [["arm64", "linux"], ["linux", "x64"]]


def test_a_label_that_a_value_made_empty_asks_for_a_runner_all_the_same():
    assert labels_of('"${SIZE}"') == [[""]]
    assert labels_of('"${SIZE}"', variables={"SIZE": "Big"}) == [["big"]]


def test_a_plan_of_a_definition_without_labels_does_not_speak_of_them():
    plan = make_plan(parse(SMALL, "yaml"), RunContext.blank("x"))
    assert "runs_on" not in plan.to_json()["stages"][0]
    assert runner_labels(plan, plan.stages[0]) == []


def test_a_runners_containers_are_its_own():
    text = "stages: [{name: a, RUNS image: node, steps: [{name: b, run: make}]}]"
    parse(text.replace("RUNS", "runs_on: gpu,"), "yaml", executors=SHELL_ONLY)
    with pytest.raises(DefinitionInvalid):
        parse(text.replace("RUNS ", ""), "yaml", executors=SHELL_ONLY)


@pytest.mark.parametrize(
    ("written", "path", "says"),
    [
        ("[]", "stages[0].runs_on", "at least 1"),
        ("[a b]", "stages[0].runs_on[0]", "a label is letters"),
        ("5", "stages[0].runs_on", "must be text"),
        ('"${matrix.os}"', "stages[0].runs_on", "no axis"),
        ('[gpu, "${"]', "stages[0].runs_on[1]", "a variable is written"),
    ],
)
def test_what_is_no_label_is_refused_where_it_stands(written, path, says):
    with pytest.raises(DefinitionInvalid) as refused:
        labels_of(written)
    [fault] = refused.value.faults
    assert (fault.path, fault.line) == (path, 4)
    assert says in fault.message
