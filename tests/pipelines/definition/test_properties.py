"""What holds for any input: only the documented errors, and nothing lost on the way."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.pipelines.definition import (
    ConditionInvalid,
    Definition,
    DefinitionInvalid,
    Fault,
    Plan,
    RunContext,
    State,
    evaluate,
    make_plan,
    matches_glob,
    parse,
    parse_tree,
    parse_variables,
)
from tests.pipelines.definition.examples import FULL

SNIPPETS = [
    "stages:", "\n", "  ", "- ", "name: ", "steps: ", "run: x", "{", "}", "[", "]", ", ", ": ", "&a ", "*a", "<<: ",
    "!x ", "!!str ",    "'", '"', "\\", "|", ">-", "#", "---", "...", "%YAML 1.2", "? ", "matrix: ", "condition: ",
    "depends_on: ", "a", "1.10", "~", "true", "\t", "\r\n", "\u2028", "\x85", "\ufeff", "é", "${A}", "environment: ",
]  # fmt: skip
WORDS = [
    "${A}", "${A:-b}", "A", "matrix.x", "'t'", '"${A}"', "1.5", "true", "==", "!=", "<", ">=", "&&", "||", "!", "and",
    "or", "not", "in", "(", ")", "[", "]", ",", "contains(", "success()", "matches(", " ", "\\", "'", "$", "é",
]  # fmt: skip
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.text("abcdefgh", min_size=1, max_size=4)
ENVIRONMENTS = st.dictionaries(
    st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), st.text("ab1é. ${}\n", max_size=8), max_size=3
)
RUN = RunContext("run", "p", "w", "url", "main", "manual")


def refused_or_read(read: Any, *arguments: Any) -> None:
    faults: tuple[Fault, ...] | None = None
    try:
        read(*arguments)
    except DefinitionInvalid as error:
        faults = error.faults
    assert faults is None or (faults and all(fault.message for fault in faults))


@settings(max_examples=120, deadline=None)
@given(st.text() | st.lists(st.sampled_from(SNIPPETS)).map("".join) | st.binary(), st.sampled_from(["yaml", "json"]))
def test_any_text_is_read_or_refused(text, media_type):
    refused_or_read(parse, text, media_type)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_valid_text_with_a_hole_or_a_splinter_is_read_or_refused(data):
    at = data.draw(st.integers(0, len(FULL)))
    until = data.draw(st.integers(at, min(len(FULL), at + 40)))
    splinter = data.draw(st.sampled_from(["", *SNIPPETS]))

    refused_or_read(parse, FULL[:at] + splinter + FULL[until:], "yaml")


@settings(max_examples=60, deadline=None)
@given(JSON_VALUES)
def test_any_tree_is_read_or_refused(value):
    refused_or_read(parse_tree, value)
    refused_or_read(parse_tree, {"stages": value})
    refused_or_read(
        parse_tree, {"stages": [value, {"name": "a", "steps": [value], "matrix": value}], "variables": value}
    )
    refused_or_read(parse_variables, value)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join))
def test_any_condition_is_worth_something_or_refused(text):
    character = 1
    try:
        evaluate(text, {"A": "b"}, State())
    except ConditionInvalid as error:
        character = error.character
    assert 1 <= character <= len(text) + 1


@settings(max_examples=60, deadline=None)
@given(st.text("*?[]!-a/", max_size=12), st.text("a/-b", max_size=12))
def test_any_glob_gives_an_answer_and_a_star_never_narrows_it(pattern, value):
    if matches_glob(pattern, value):
        assert matches_glob("**" + pattern.removeprefix("**/"), value)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    stages = []
    for index, name in enumerate(names):
        stage: dict[str, Any] = {
            "name": name,
            "environment": draw(ENVIRONMENTS),
            "steps": [
                {"name": step, "run": "make"} for step in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
            ],
        }
        if draw(st.booleans()):
            stage["depends_on"] = draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        if draw(st.booleans()):
            stage["matrix"] = {axis: draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)) for axis in ("x", "y")}
        stages.append(stage)
    return {"name": "p", "environment": draw(ENVIRONMENTS), "stages": stages}


@settings(max_examples=60, deadline=None)
@given(definitions())
def test_a_definition_and_its_plan_survive_storage(tree):
    definition = parse_tree(tree)
    stored = json.loads(json.dumps(definition.to_json(), sort_keys=True))
    plan = make_plan(definition, RUN)

    assert Definition.from_json(stored) == parse_tree(stored) == parse(json.dumps(stored), "json") == definition
    assert make_plan(Definition.from_json(stored), RUN).digest == plan.digest
    assert Plan.from_json(json.loads(json.dumps(plan.to_json(), sort_keys=True))) == plan


@settings(max_examples=60, deadline=None)
@given(definitions())
def test_every_planned_stage_waits_only_for_stages_that_exist(tree):
    stages = make_plan(parse_tree(tree), RUN).stages
    names = [stage.name for stage in stages]

    assert len(set(names)) == len(names)
    for stage in stages:
        assert set(stage.depends_on) <= set(names) - {stage.name}
