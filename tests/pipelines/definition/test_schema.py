"""The published schema says of the structure of a definition what the parser says."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators

from app.pipelines.definition import json_schema, parse
from app.pipelines.definition.faults import Faults
from app.pipelines.definition.pipeline_keys import PIPELINE
from app.pipelines.definition.tree import load_object
from tests.pipelines.definition.examples import FULL, SMALL

JUNK: list[Any] = [
    None, True, 0, 1, 2.0, 1.5, -1, 10**6, 10**15, "", "x", "a/b", "..", "../x", "/x", " x", "x\ny", "a\u202eb", "1",
    "1.0", "push", "a_w_s", "2h", "500m", "1Gi", "90 s", "${A}", "${a b}", "http://x", "a@b", "* * * * *", "é" * 100,
    "x" * 101, "x" * 501, "x" * 4097, [], ["x"], [1], [None], ["x"] * 101, {}, {"x": 1}, {"1": 1}, {"a": ["b"]},
    {"name": "x"},
    {"name": "x", "run": "y"}, {"path": "x"}, [{"path": "x"}], {"trigger_type": "manual"}, [{"target_type": "email"}],
]  # fmt: skip
KEYS = [
    "name",
    "run",
    "type",
    "config",
    "environment",
    "matrix",
    "include",
    "axes",
    "artifacts",
    "unknown",
    "1x",
    "a b",
    "",
]


def fits_pattern(_validator: object, pattern: str, instance: object, _schema: object) -> Iterator[ValidationError]:
    """As JSON Schema wants it: Python lets `$` match before a last line end, ECMAScript does not."""
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield ValidationError("does not fit the pattern")


VALIDATOR = validators.extend(Draft202012Validator, {"pattern": fits_pattern})(json_schema())
WRITTEN: Any = yaml.safe_load(FULL)
STORED: Any = parse(FULL, "yaml").to_json()


def structure_is_sound(tree: object) -> bool:
    faults = Faults()
    PIPELINE.read(load_object(tree, faults), "", faults)
    return not faults


def places_in(tree: object) -> Iterator[tuple[Any, Any]]:
    """Every place of a value within its map or list."""
    if isinstance(tree, dict | list):
        for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            yield tree, key
            yield from places_in(value)


@st.composite
def mutated_definitions(draw: st.DrawFn) -> Any:
    tree = copy.deepcopy(draw(st.sampled_from([WRITTEN, STORED])))
    for _ in range(draw(st.integers(1, 2))):
        holder, key = draw(st.sampled_from(list(places_in(tree))))
        junk = copy.deepcopy(draw(st.sampled_from(JUNK)))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                holder[key] = junk
            case "remove":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = junk
            case _:
                holder.append(junk)
    return tree


def test_the_schema_is_a_valid_schema_of_its_dialect():
    Draft202012Validator.check_schema(json_schema())

    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("tree", [WRITTEN, STORED, yaml.safe_load(SMALL)])
def test_valid_definitions_fit_the_schema(tree):
    assert list(VALIDATOR.iter_errors(tree)) == []
    assert structure_is_sound(tree)


@pytest.mark.slow
def test_every_kind_of_junk_at_every_place_gets_the_same_verdict():
    for index, (_, key) in enumerate(places_in(WRITTEN)):
        for junk in JUNK[index % 5 :: 5]:
            tree = copy.deepcopy(WRITTEN)
            list(places_in(tree))[index][0][key] = junk
            assert VALIDATOR.is_valid(tree) is structure_is_sound(tree), (key, junk)


@settings(max_examples=150, deadline=None)
@given(mutated_definitions())
def test_parser_and_schema_agree_on_any_mutation(tree):
    assert VALIDATOR.is_valid(tree) is structure_is_sound(tree)


def test_every_key_has_a_sentence_for_the_editor():
    def described(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            for name, value in schema.get("properties", {}).items():
                assert value["description"].endswith("."), name
                yield name
        for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from described(value)

    assert {"stages", "steps", "retention", "memory", "include"} <= set(described(json_schema()))
