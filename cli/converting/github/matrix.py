"""The matrix of a job, by the rules of GitHub: the product, less what is excluded, with what include adds to cells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final

from app.pipelines.definition.tree import Listing, Mapping, Node, Scalar
from cli.converting.cells import as_matrix
from cli.converting.github.expressions import Unreadable
from cli.converting.notes import Notes
from cli.converting.shaping import fit_variable
from cli.converting.source import entries, get, items, line_of

MOST_CELLS: Final = 256
FILLER: Final = "false"
_OTHER_SYSTEMS: Final = ("windows", "macos", "mac-", "osx")

Cell = dict[str, str]


@dataclass(frozen=True, slots=True)
class JobMatrix:
    """`written` is the matrix of the stage or None, `axes` its names by the workflow's, `fixed` what all cells share.

    `cleared` are the axes whose filler scripts must take for nothing.
    """

    written: dict[str, Any] | None = None
    axes: dict[str, str] = field(default_factory=dict)
    fixed: Cell = field(default_factory=dict)
    cleared: tuple[str, ...] = ()
    is_empty: bool = False


def is_other_system(label: str) -> bool:
    """Tell whether a runner of this label is no Linux."""
    return any(label.lower().startswith(system) or f"-{system}" in label.lower() for system in _OTHER_SYSTEMS)


def read_matrix(node: Node | None, system_axis: str | None, notes: Notes, part: Any) -> JobMatrix:
    """Return the matrix; cells whose `system_axis` names another system than Linux are left out. Raises Unreadable."""
    if node is None:
        return JobMatrix()
    if not isinstance(node, Mapping):
        raise Unreadable("a matrix that is worked out by an earlier job is not known here")
    cells = _only_linux(_cells(node), system_axis, line_of(node), notes, part)
    if not cells:
        return JobMatrix(is_empty=True)
    filled = _filled(cells, line_of(node), notes, part)
    matrix = _simplified(filled)
    return replace(matrix, cleared=tuple(axis for name, axis in matrix.axes.items() if _is_cleared(name, cells)))


def _is_cleared(name: str, cells: list[Cell]) -> bool:
    return any(not cell.get(name) for cell in cells) and all(cell.get(name) != FILLER for cell in cells)


def _cells(node: Mapping) -> list[Cell]:
    axes = {entry.key: list(_values(entry.node)) for entry in entries(node) if entry.key not in ("include", "exclude")}
    count = 1
    for values in axes.values():
        count *= max(len(values), 1)
    if count > MOST_CELLS:
        raise Unreadable(f"a matrix of more than {MOST_CELLS} cells")
    made = [_merged(zip(axes, cell, strict=True)) for cell in product(*axes.values())] if axes else []
    left_out = [_flat_map(each) for each in _listed(node, "exclude")]
    kept = [cell for cell in made if not any(out and out.items() <= cell.items() for out in left_out)]
    return _with_included(kept, set(axes), [_flat_map(each) for each in _listed(node, "include")])


def _with_included(cells: list[Cell], axes: set[str], included: Iterable[Cell]) -> list[Cell]:
    original, added = [dict(cell) for cell in cells], list[Cell]()
    for extra in included:
        own = {name: value for name, value in extra.items() if name.split(".")[0] in axes}
        fitting = [number for number, cell in enumerate(original) if own.items() <= cell.items()]
        for number in fitting:
            cells[number].update(extra)
        if not fitting:
            added.append(extra)
    whole = cells + added
    if len(whole) > MOST_CELLS:
        raise Unreadable(f"a matrix of more than {MOST_CELLS} cells")
    return whole


def _listed(node: Mapping, key: str) -> tuple[Node, ...]:
    value = get(node, key)
    if isinstance(value, Scalar) and value.value is not None:
        raise Unreadable("a matrix that is worked out by an earlier job is not known here")
    return items(value)


def _values(node: Node) -> Iterator[Cell | str]:
    if isinstance(node, Scalar):
        raise Unreadable("a matrix that is worked out by an earlier job is not known here")
    for each in items(node):
        yield _flat_map(each) if isinstance(each, Mapping) else _written(each)


def _merged(pairs: Iterable[tuple[str, Cell | str]]) -> Cell:
    cell: Cell = {}
    for axis, value in pairs:
        cell |= {axis: value} if isinstance(value, str) else {f"{axis}.{name}": each for name, each in value.items()}
    return cell


def _flat_map(node: Node) -> Cell:
    return _merged(
        (entry.key, _flat_map(entry.node) if isinstance(entry.node, Mapping) else _written(entry.node))
        for entry in entries(node)
    )


def _written(node: Node) -> str:
    if isinstance(node, Scalar):
        if "${{" in node.text:
            raise Unreadable("a matrix that is worked out by an earlier job is not known here")
        return node.text
    return json.dumps([_written(each) for each in items(node)]) if isinstance(node, Listing) else "{}"


def _only_linux(cells: list[Cell], axis: str | None, line: int | None, notes: Notes, part: Any) -> list[Cell]:
    if axis is None:
        return cells
    kept = [cell for cell in cells if not is_other_system(cell.get(axis, ""))]
    if len(kept) < len(cells):
        gone = sorted({cell[axis] for cell in cells if is_other_system(cell.get(axis, ""))})
        notes.lost(line, "runs-on", f"the cells of {', '.join(gone)} are left out: steps run on Linux", part)
    return kept


def _filled(cells: list[Cell], line: int | None, notes: Notes, part: Any) -> list[Cell]:
    names = list(dict.fromkeys(name for cell in cells for name in cell))
    for name in names:
        if any(not cell.get(name) for cell in cells):
            notes.check(line, "matrix", f"cells without a value for {name} have {FILLER!r} there", part)
    return [{name: cell.get(name) or FILLER for name in names} for cell in cells]


def _simplified(cells: list[Cell]) -> JobMatrix:
    fixed = {name: value for name, value in cells[0].items() if all(cell[name] == value for cell in cells)}
    axes = {name: fit_variable(name) for name in cells[0] if name not in fixed}
    if len({axis.upper() for axis in axes.values()}) < len(axes):
        raise Unreadable("a matrix whose axes have the same name here")
    own = list({tuple(cell[name] for name in axes): None for cell in cells})
    written = as_matrix([dict(zip(axes.values(), each, strict=True)) for each in own]) if axes else None
    return JobMatrix(written, axes, fixed)
