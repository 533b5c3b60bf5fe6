"""The shortest way of writing down the cells of a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, Final

MOST_MULTIPLIED: Final = 256


def as_matrix(cells: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return axes, with what to exclude where that is shorter, or a list of all cells; each cell has the same names."""
    axes = {name: list(dict.fromkeys(cell[name] for cell in cells)) for name in cells[0]}
    if prod(len(values) for values in axes.values()) > MOST_MULTIPLIED:
        return {"include": list(cells)}
    wanted = {tuple(cell.values()) for cell in cells}
    missing = [cell for cell in product(*axes.values()) if cell not in wanted]
    if len(missing) >= len(cells):
        return {"include": list(cells)}
    excluded = [dict(zip(axes, cell, strict=True)) for cell in missing]
    return {**axes, **({"exclude": excluded} if excluded else {})}
