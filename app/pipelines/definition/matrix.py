"""A stage's matrix: axes whose values are multiplied into cells, with cells left out and added."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from app.pipelines.definition.codec import to_plain
from app.pipelines.definition.faults import Faults, child, item, shorten
from app.pipelines.definition.language import MAX_CELLS

Cell = Mapping[str, str]
_NOT_AXES = ("include", "exclude", "axes")


@dataclass(frozen=True, slots=True)
class Matrix:
    """`axes` gives the order of the names; `values` may lack axes that only `include` gives values."""

    axes: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    include: tuple[Cell, ...] = ()
    exclude: tuple[Cell, ...] = ()

    def cells(self) -> list[dict[str, str]]:
        """All cells, the last axis changing fastest, then the included ones; each in the order of the axes."""
        made = [cell for cell in self.multiplied() if not any(_fits(cell, left_out) for left_out in self.exclude)]
        return made + [{axis: cell[axis] for axis in self.axes} for cell in self.include]

    def multiplied(self) -> list[dict[str, str]]:
        """The cells of the axes alone."""
        if not self.values:
            return []
        return [dict(zip(self.axes, cell, strict=True)) for cell in product(*(self.values[axis] for axis in self.axes))]

    def to_plain(self) -> dict[str, Any]:
        """As written in a definition. The order of the axes is spelled out: JSON stores may not keep that of keys."""
        rest = {"axes": self.axes, "include": self.include, "exclude": self.exclude}
        plain: dict[str, Any] = to_plain({**self.values, **rest})
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Matrix":
        values = {axis: tuple(each) for axis, each in plain.items() if axis not in _NOT_AXES}
        include, exclude = tuple(plain.get("include", ())), tuple(plain.get("exclude", ()))
        named = values or (include[0] if include else {})
        return cls(tuple(plain.get("axes", named)), values, include, exclude)


def cell_name(stage: str, cell: Cell) -> str:
    """The name of one cell's stage: `test (3.11, postgres)`. A name holds no '/', so a value's becomes '-'."""
    return f"{stage} ({', '.join(cell.values())})".replace("/", "-")


def check_matrix(draft: Mapping[str, Any], path: str, faults: Faults) -> None:
    """Add what is wrong with a matrix whose structure has been read."""
    if faults.within(path):
        return
    matrix = Matrix.from_plain(draft)
    if _check_axes(matrix, path, faults) and _check_count(matrix, path, faults):
        _check_values(matrix, path, faults)
        if not faults.within(path):
            _check_cells(matrix, path, faults)


def _check_axes(matrix: Matrix, path: str, faults: Faults) -> bool:
    named = list(matrix.values or (matrix.include[0] if matrix.include else ()))
    if not named:
        faults.add(path, "has no axis")
    elif sorted(matrix.axes) != sorted(named):
        faults.add(child(path, "axes"), f"must list each axis once: {', '.join(named)}")
    elif len({axis.upper() for axis in named}) < len(named):
        faults.add(path, "has axes that differ only in case; each becomes a variable MATRIX_<AXIS>")
    else:
        return True
    return False


def _check_count(matrix: Matrix, path: str, faults: Faults) -> bool:
    count = prod(len(values) for values in matrix.values.values()) if matrix.values else 0
    count += len(matrix.include)
    if count > MAX_CELLS:
        faults.add(path, f"has {count} cells before any is left out; at most {MAX_CELLS} are allowed")
    return count <= MAX_CELLS


def _check_values(matrix: Matrix, path: str, faults: Faults) -> None:
    for axis, values in matrix.values.items():
        for value, times in Counter(values).items():
            if times > 1:
                faults.add(child(path, axis), f"lists {shorten(value)} {times} times")


def _check_cells(matrix: Matrix, path: str, faults: Faults) -> None:
    added, left_out = child(path, "include"), child(path, "exclude")
    for index, cell in enumerate(matrix.include):
        if set(cell) != set(matrix.axes):
            faults.add(item(added, index), f"must give a value for exactly these axes: {', '.join(matrix.axes)}")
            return
    multiplied = matrix.multiplied()
    for index, cell in enumerate(matrix.exclude):
        if not any(_fits(made, cell) for made in multiplied):
            faults.add(item(left_out, index), "leaves out nothing: no cell has these values")
    cells = matrix.cells()
    if not cells:
        faults.add(path, "has no cell left")
    elif len({tuple(cell.values()) for cell in cells}) < len(cells):
        faults.add(added, "adds a cell that is there already")


def _fits(cell: Cell, pattern: Cell) -> bool:
    return all(cell.get(axis) == value for axis, value in pattern.items())
