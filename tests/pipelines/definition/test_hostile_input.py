"""Definitions written to break the reader. Each is refused, in little time and little memory."""

import json
import time

import pytest
import yaml

from app.pipelines.definition import DefinitionInvalid, parse, parse_tree, yaml_text
from tests.pipelines.definition.examples import FULL, SMALL, faults_of, only_fault_of, place_of

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_bomb_of_aliases_is_refused_by_what_it_would_expand_to():
    fault = only_fault_of(BOMB)

    assert fault.message == "holds more than 20000 values, aliases written out"
    assert (fault.path, fault.line) == ("e", 5)


def test_a_long_text_behind_many_aliases_is_refused_too():
    text = f"environment:\n  A: &long {'x' * 4000}\n" + "".join(f"  A{n}: *long\n" for n in range(90))

    assert only_fault_of(text + "stages: []").message == "holds more than 262144 characters"


def test_merging_again_and_again_is_work_that_is_bounded():
    keys = ", ".join(f"K{n}: 1" for n in range(5000))
    text = f"a: &a {{{keys}}}\nb:\n" + "  - <<: *a\n" * 5000

    assert "merges more than 20000 keys" in only_fault_of(text).message


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "&a [&b [*a]]"])
def test_a_value_that_holds_itself_is_refused(text):
    assert "holds itself through the anchor 'a'" in only_fault_of(text).message


def test_an_alias_without_its_anchor_is_refused():
    assert only_fault_of("name: *nothing").message == "names the anchor 'nothing', which is not above"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("name: !!python/object/apply:os.system [id]", "!!python/object/apply:os.system"),
        ("name: !!python/name:os.system x", "!!python/name:os.system"),
        ("name: !secret x", "!secret"),
        ("name: !!binary aGk=", "!!binary"),
        ("name: !<tag:example.com,2000:x> a", "tag:example.com,2000:x"),
        ("!!set {a}", "!!set"),
    ],
)
def test_a_tag_is_refused_by_name(text, tag):
    assert f"has the tag '{tag}'; tags are not allowed" in [fault.message for fault in faults_of(text)]


def test_the_tag_that_says_text_is_no_danger():
    assert parse(SMALL + "environment: {A: !!str true}\n", "yaml").environment == {"A": "true"}


@pytest.mark.parametrize(
    ("text", "place"), [("name: a\nstages: []\nname: b\n", (3, 1)), ("stages: []\nenvironment: {A: 1, A: 2}", (2, 21))]
)
def test_a_key_written_twice_is_refused_at_its_second_place(text, place):
    (fault, *_) = (fault for fault in faults_of(text) if fault.message == "is written twice")

    assert (fault.line, fault.column) == place


def test_a_key_written_twice_in_json_is_refused():
    fault = faults_of('{"name": "a",\n "name": "b"}', "json")[-1]

    assert (fault.path, fault.message, fault.line, fault.column) == ("name", "is written twice", 2, 2)


@pytest.mark.parametrize("key", ["1", "true", "~", "1.5", "[a, b]", "{a: b}", "? [a]\n"])
def test_a_key_that_is_not_text_is_refused(key):
    assert any("which is not text" in fault.message for fault in faults_of(f"{key}: x\n"))


def test_a_second_document_is_refused_with_its_line():
    fault = only_fault_of("name: a\n---\nname: b\n")

    assert (fault.message, fault.line) == ("is a second document; a definition is one", 2)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", '{"a":', "[[", "- - "])
@pytest.mark.parametrize("media_type", ["yaml", "json"])
def test_endless_nesting_is_refused(opening, media_type):
    started = time.perf_counter()
    faults = faults_of(opening * 30_000, media_type)

    assert len(faults) == 1
    assert time.perf_counter() - started < 2


def test_nesting_within_decoded_json_is_refused():
    value: list = []
    for _ in range(500):
        value = [value]

    with pytest.raises(DefinitionInvalid, match="nested more than 32 levels"):
        parse_tree(value)


def test_a_text_that_is_too_long_is_refused_unread():
    assert only_fault_of("#" * (256 * 1024 + 1)).message == "has 262145 bytes; at most 262144 are allowed"
    assert only_fault_of("é" * (128 * 1024 + 1), "json").message.startswith("has 262146 bytes")


@pytest.mark.parametrize("media_type", ["yaml", "json"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"name: \xff\xfe", "is not UTF-8"),
        ("name: a\x00b", "holds a NUL"),
        ("name: \ud800", "is not UTF-8"),
        ("", "is empty"),
        (" \n \n", "is empty"),
    ],
)
def test_what_is_not_text_is_refused(text, words, media_type):
    fault = only_fault_of(text, media_type)

    assert words in fault.message
    assert fault.line is not None


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        ('{"name": "a\\u0000b", "stages": []}', "json"),
        ('{"name": "\\ud800", "stages": []}', "json"),
        ('name: "a\\0b"', "yaml"),
    ],
)
def test_what_no_database_can_hold_is_refused(text, media_type):
    (fault,) = (fault for fault in faults_of(text, media_type) if fault.path == "name")

    assert fault.message == "holds a NUL or half of a surrogate pair"


def test_a_surrogate_pair_in_json_is_one_character():
    text = json.dumps({"name": "rocket \N{ROCKET}", "stages": [{"name": "a", "steps": [{"name": "s", "run": "x"}]}]})

    assert parse(text, "json").name == "rocket \N{ROCKET}"


@pytest.mark.parametrize(
    ("text", "needle"),
    [("name: a\n  b: c\n", ": c"), ("a: [1, 2\nb: 3\n", ":"), ("a: 'x\n", ""), ("a: \x07", "\x07"), ("a: @x", "@")],
)
def test_text_that_is_not_yaml_is_refused_where_it_breaks(text, needle):
    fault = only_fault_of(text)

    assert fault.path == ""
    assert fault.line is not None
    assert 1 <= fault.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ('{"a": 1,\n "b" 2}', "2}"),
        ('{"a": 1,\n}', "}"),
        ('{"a": [1 2]}', "2]"),
        ('{\n "a": tru}', "tru"),
        ("{'a': 1}", "'a'"),
        ('{"a": 1} x', "x"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 01}', "1}"),
        ('{"a": "x\ny"}', "\n"),
        ('{"a": "\\x"}', "\\x"),
        ("a: b", "a"),
    ],
)
def test_text_that_is_not_json_is_refused_where_it_breaks(text, needle):
    fault = only_fault_of(text, "json")

    assert fault.message.startswith("is not JSON")
    assert (fault.line, fault.column) == place_of(text, needle)


def test_a_number_of_ten_thousand_digits_is_refused():
    digits = "9" * 10_000

    assert "too many digits" in faults_of(f'{{"stages": [], "timeout": {digits}}}', "json")[1].message
    assert "must be seconds" in faults_of(f"stages: []\ntimeout: {digits}")[1].message
    with pytest.raises(DefinitionInvalid):
        parse_tree({"timeout": 10**30})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}, object()])
def test_values_json_does_not_have_are_refused(value):
    with pytest.raises(DefinitionInvalid, match="is not text, a number"):
        parse_tree({"environment": {"A": value}})


def test_hostile_text_is_cut_and_escaped_in_the_message():
    fault = only_fault_of(SMALL + f'environment: {{"{"A" * 50}\\e[31m{"B" * 5000}": x}}\n')

    assert len(fault.message) < 200
    assert "\x1b" not in fault.message + fault.path


def test_a_matrix_of_ten_thousand_is_refused_with_its_line():
    axis = ", ".join(str(n) for n in range(100))
    squared = f"stages:\n  - name: a\n    matrix: {{x: [{axis}], y: [{axis}]}}\n    steps: [{{name: s, run: x}}]\n"
    long = ", ".join(str(n) for n in range(10_000))
    single = f"stages:\n  - name: a\n    matrix: {{x: [{long}]}}\n    steps: [{{name: s, run: x}}]\n"

    for text in (squared, single):
        fault = only_fault_of(text)
        assert fault.message == "has 10000 cells before any is left out; at most 256 are allowed"
        assert (fault.path, fault.line, fault.column) == ("stages[0].matrix", 3, 13)


def test_a_matrix_that_would_copy_a_long_script_many_times_is_refused():
    axis = ", ".join(str(n) for n in range(100))
    text = f"stages: [{{name: a, matrix: {{x: [{axis}]}}, steps: [{{name: s, run: {'y' * 60_000}}}]}}]"

    assert "characters with their matrices; at most 4194304" in only_fault_of(text).message


def test_more_than_512_stages_after_the_matrices_are_refused():
    axis = ", ".join(str(n) for n in range(200))
    stage = "{{name: {}, matrix: {{x: [" + axis + "]}}, steps: [{{name: s, run: x}}]}}"
    text = f"stages: [{', '.join(stage.format(name) for name in 'abc')}]"

    assert only_fault_of(text).message == "are 600 with their matrices; at most 512 are allowed"


def test_the_slow_yaml_parser_reads_the_same_and_refuses_the_same(monkeypatch):
    fast = parse(FULL, "yaml"), faults_of(BOMB), faults_of("a: [1, 2\nb: 3\n")[0].line
    monkeypatch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)

    assert (parse(FULL, "yaml"), faults_of(BOMB), faults_of("a: [1, 2\nb: 3\n")[0].line) == fast
    assert "does not allow" in only_fault_of("name: \x07").message
