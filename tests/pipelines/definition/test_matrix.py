"""Matrices: which cells there are, in which order, and which matrices are refused."""

import pytest

from app.pipelines.definition import Matrix, RunContext, make_plan, parse
from tests.pipelines.definition.examples import only_fault_of


def with_matrix(matrix: str) -> str:
    return f"stages:\n  - name: test\n    matrix: {{{matrix}}}\n    steps: [{{name: s, run: x}}]\n"


def names_of(matrix: str) -> list[str]:
    plan = make_plan(parse(with_matrix(matrix), "yaml"), RunContext.blank("p"))
    return [stage.name for stage in plan.stages]


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        ("python: [3.9, 3.10]", ["test (3.9)", "test (3.10)"]),
        ("python: ['3.11'], db: [pg, my]", ["test (3.11, pg)", "test (3.11, my)"]),
        ("b: [1, 2], a: [x]", ["test (1, x)", "test (2, x)"]),
        ("b: [1, 2], a: [x], axes: [a, b]", ["test (x, 1)", "test (x, 2)"]),
        ("a: [1, 2], b: [x, y], exclude: [{a: 1, b: y}]", ["test (1, x)", "test (2, x)", "test (2, y)"]),
        ("a: [1, 2], b: [x, y], exclude: [{a: 1}]", ["test (2, x)", "test (2, y)"]),
        ("a: [1], b: [x], include: [{b: z, a: 9}]", ["test (1, x)", "test (9, z)"]),
        ("include: [{os: linux, cc: gcc}, {cc: clang, os: mac}]", ["test (linux, gcc)", "test (mac, clang)"]),
        ("arch: [linux/amd64]", ["test (linux-amd64)"]),
        ("on: [true, no]", ["test (true)", "test (no)"]),
    ],
)
def test_the_cells_of_a_matrix_become_stages(matrix, names):
    assert names_of(matrix) == names


@pytest.mark.parametrize(
    ("matrix", "path", "words"),
    [
        ("", "matrix", "has no axis"),
        ("include: []", "matrix", "has no axis"),
        ("a: []", "matrix.a", "at least 1"),
        ("a: 3", "matrix.a", "must be a list, not a number"),
        ("a: [[1]]", "matrix.a[0]", "must be text, not a list"),
        ("a b: [1]", "matrix['a b']", "an axis' name"),
        ("a: [1, 2, 1]", "matrix.a", "lists '1' 2 times"),
        ("a: [1], A: [2]", "matrix", "differ only in case"),
        ("a: [1], axes: [b]", "matrix.axes", "must list each axis once: a"),
        ("a: [1], b: [2], axes: [a]", "matrix.axes", "must list each axis once: a, b"),
        ("a: [1], include: [{b: 2}]", "matrix.include[0]", "exactly these axes: a"),
        ("a: [1], exclude: [{a: 2}]", "matrix.exclude[0]", "leaves out nothing"),
        ("a: [1], exclude: [{b: 2}]", "matrix.exclude[0]", "leaves out nothing"),
        ("a: [1], exclude: [{a: 1}]", "matrix", "has no cell left"),
        ("a: [1], include: [{a: 1}]", "matrix.include", "there already"),
        ("a: [x/y, x-y]", "matrix", "makes the stage name 'test (x-y)' a second time"),
        ("a: ['" + "x" * 101 + "']", "matrix.a[0]", "at most 100"),
    ],
)
def test_a_matrix_is_refused_by_path_and_reason(matrix, path, words):
    fault = only_fault_of(with_matrix(matrix))

    assert fault.path == f"stages[0].{path}"
    assert words in fault.message
    assert fault.line == 3


def test_a_cell_must_not_take_the_name_of_another_stage():
    text = "stages:\n  - {name: test (1), steps: [{name: s, run: x}]}\n" + with_matrix("a: [1]").partition("\n")[2]

    assert "a second time, after stages[0].name" in only_fault_of(text).message


def test_256_cells_are_allowed():
    axis = ", ".join(str(n) for n in range(16))

    assert len(names_of(f"a: [{axis}], b: [{axis}]")) == 256


def test_the_stored_form_keeps_the_order_of_the_axes_where_the_store_does_not():
    matrix = Matrix(("python", "db"), {"python": ("3.11",), "db": ("pg", "my")})
    shuffled = {key: matrix.to_plain()[key] for key in sorted(matrix.to_plain())}

    assert Matrix.from_plain(shuffled).cells() == matrix.cells()
