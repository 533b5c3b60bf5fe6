"""Hostile YAML: what is read, and what is refused before it costs anything."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.yaml_text import UnreadableText, read_document, read_documents


def read(text: str | bytes) -> object:
    return read_document(text, max_bytes=10_000)


def test_maps_lists_and_scalars_are_read_by_the_core_schema() -> None:
    text = "a: [1, 2.5, true, null, ~, on, 0644, '3', 2024-01-01]\nb:\n  c: |\n    two\n    lines\n1: x\n"
    assert read(text) == {
        "a": [1, 2.5, True, None, None, "on", 420, "3", "2024-01-01"],
        "b": {"c": "two\nlines\n"},
        "1": "x",
    }


def test_json_is_read_as_well() -> None:
    assert read('{"a": {"b": [1, "x\\u00e9"]}}') == {"a": {"b": [1, "xé"]}}


def test_documents_are_listed_without_the_empty_ones() -> None:
    assert read_documents("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n", max_bytes=100, max_documents=2) == [
        {"a": 1},
        {"b": 2},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x\n", "line 1: holds an anchor or an alias"),
        ("<<: {a: 1}\n", "merge"),
        ("a: !!python/object/apply:os.system [x]\n", "tag"),
        ("a: !!binary aGk=\n", "tag"),
        ("a: 1\na: 2\n", "line 2: holds the key 'a' twice"),
        ("? [1]\n: 2\n", "key that is not text"),
        ("[" * 100, "64 levels deep"),
        ("a: [1\n", "is not YAML: line"),
        ("\x07", "character YAML does not allow"),
        ("a: \x00", "NUL"),
        (b"\xff\xfe\xff", "is not UTF-8"),
        ("x" * 10_001, "must not be longer than 10000 bytes"),
        ("é" * 6_000, "must not be longer than 10000 bytes"),
        ("a: 1\n---\nb: 2\n", "more than 1 document"),
        ("", "is empty"),
        ("\ud800", "is not UTF-8"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(text: str | bytes, said: str) -> None:
    with pytest.raises(UnreadableText, match=said.replace("(", r"\(")):
        read(text)


def test_a_number_of_a_thousand_digits_stays_text() -> None:
    assert read("a: " + "9" * 1000) == {"a": "9" * 1000}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UnreadableText):
        assert isinstance(read(text), dict | list | str | int | float | bool)
