"""Globs of branches, tags and artifacts, and references in paths."""

import time

import pytest

from app.pipelines.definition import PathOutside, expand, expand_path, matches_artifact, matches_glob


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("main", "main", True),
        ("main", "main2", False),
        ("", "", True),
        ("*", "anything", True),
        ("*", "", True),
        ("*", "a/b", False),
        ("**", "a/b", True),
        ("release/*", "release/1.2", True),
        ("release/*", "release/1/2", False),
        ("release/**", "release/1/2", True),
        ("**/x.log", "x.log", True),
        ("**/x.log", "a/b/x.log", True),
        ("**/x.log", "ax.log", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**/z", "a/bz", False),
        ("v?.?", "v1.2", True),
        ("v?", "v", False),
        ("?", "/", False),
        ("v[0-9].*", "v1.x", True),
        ("v[!0-9]*", "v1", False),
        ("v[!0-9]*", "vx", True),
        ("[]x]", "]", True),
        ("[!/]", "/", False),
        ("[a", "[a", True),
        ("a.b", "axb", False),
        ("(a|b)+", "(a|b)+", True),
        ("é*", "éa", True),
    ],
)
def test_what_a_glob_matches(pattern, value, matches):
    assert matches_glob(pattern, value) is matches


def test_a_hundred_stars_cost_no_more_than_their_length():
    started = time.perf_counter()

    assert not matches_glob("*a" * 50 + "b", "a" * 2000)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [
        ("dist", "dist/a/b.whl", True),
        ("dist/", "dist/a/b.whl", True),
        ("./dist", "dist/a", True),
        (".", "a/b", True),
        ("./", "a/b", True),
        ("", "a/b", False),
        ("dist", "distant/a", False),
        ("dist/*.whl", "dist/a.whl", True),
        ("dist/*.whl", "dist/a/b.whl", False),
        ("*.log", "x.log/deep", False),
        ("report.xml", "report.xml", True),
    ],
)
def test_which_files_an_artifact_takes(pattern, path, taken):
    assert matches_artifact(pattern, path) is taken


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}-${B:-b}-${C:-c}", "one-b-c"),
        ("${NOTHING}", ""),
        ("${matrix.python}", "3.11"),
        ("${LOOP}", "${A}"),
        ("$A $(id) `id` $${A}", "$A $(id) `id` $one"),
    ],
)
def test_references_are_filled_in_once(text, expanded):
    assert expand(text, {"A": "one", "C": "", "MATRIX_PYTHON": "3.11", "LOOP": "${A}"}) == expanded


@pytest.mark.parametrize(
    ("text", "path"),
    [(".", "."), ("a/./b/", "a/b"), ("${ROOT}/src", "src"), ("${SUB}", "deep/er"), ("${NOTHING}", ".")],
)
def test_a_path_is_made_relative_to_the_checkout(text, path):
    assert expand_path(text, {"ROOT": "/work/tree", "SUB": "deep/er"}, "/work/tree") == path


@pytest.mark.parametrize("value", ["..", "/etc", "a/../../tree2", "/work/tree/../x", "../tree2", "/work/treetop"])
def test_a_path_that_a_variable_leads_out_of_the_checkout_is_refused(value):
    with pytest.raises(PathOutside):
        expand_path("${UP}", {"UP": value}, "/work/tree")
