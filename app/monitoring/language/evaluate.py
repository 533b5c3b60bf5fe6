"""Works a query out: a value of each resulting series at each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.monitoring.errors import QueryTooWide
from app.monitoring.language.nodes import LOOKBACK, Aggregation, Expression, Over, Selector
from app.monitoring.language.ranges import FUNCTIONS, Windows
from app.monitoring.points import Floats, Points

MOST_VALUES: Final = 12_000_000
# Windows of ninety days at each of many steps hold every sample many times: some seconds of work.
MOST_LOOKED_AT: Final = 200_000_000
LIGHT: Final = frozenset({"last_over_time", "count_over_time", "delta", "increase", "rate"})

Source = Callable[[Selector, float, float], Sequence[tuple[Mapping[str, str], Points]]]
"""Gives the series of a selector with their samples of `after < time <= until`, in seconds."""


@dataclass(frozen=True, slots=True)
class Line:
    """A series that comes of a query: its labels, the name among them where there is one, and its value at each step,
    NaN where there is none."""

    labels: Mapping[str, str]
    values: Floats


def evaluate(expression: Expression, steps: Floats, source: Source) -> list[Line]:
    """Return what a query says at each of `steps` (seconds, ascending); series without any value are left out."""
    return [line for line in _evaluate(expression, steps, source) if not np.isnan(line.values).all()]


def _evaluate(expression: Expression, steps: Floats, source: Source) -> list[Line]:
    if isinstance(expression, Aggregation):
        return _aggregate(expression, _evaluate(expression.of, steps, source))
    if isinstance(expression, Over):
        return _over(expression, steps, source)
    read = source(expression, steps[0] - LOOKBACK, steps[-1])
    _check_width(len(read), steps)
    return [Line(labels, _latest(Windows.of(points, steps, LOOKBACK))) for labels, points in read]


def _latest(windows: Windows) -> Floats:
    return FUNCTIONS["last_over_time"](windows, None)


def _over(over: Over, steps: Floats, source: Source) -> list[Line]:
    seconds = over.selector.seconds or LOOKBACK
    work = FUNCTIONS[over.function]
    read = source(over.selector, steps[0] - seconds, steps[-1])
    _check_width(len(read), steps)
    found = [(labels, Windows.of(points, steps, seconds)) for labels, points in read]
    if over.function not in LIGHT and sum(int(windows.counts.sum()) for _, windows in found) > MOST_LOOKED_AT:
        raise QueryTooWide(f"Its windows hold more than {MOST_LOOKED_AT} samples together.", limit=MOST_LOOKED_AT)
    return [Line(_unnamed(labels), work(windows, over.parameter)) for labels, windows in found]


def _check_width(series: int, steps: Floats) -> None:
    if series * len(steps) > MOST_VALUES:
        raise QueryTooWide(f"This makes more than {MOST_VALUES} values; take longer steps.", limit=MOST_VALUES)


def _unnamed(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels without the name: what a function returns is another metric."""
    return {name: value for name, value in labels.items() if name != "__name__"}


def _aggregate(aggregation: Aggregation, lines: Sequence[Line]) -> list[Line]:
    groups: dict[tuple[tuple[str, str], ...], list[Floats]] = defaultdict(list)
    for line in lines:
        groups[tuple(sorted(_kept(aggregation, line.labels).items()))].append(line.values)
    return [Line(dict(key), _reduce(aggregation, np.vstack(values))) for key, values in sorted(groups.items())]


def _kept(aggregation: Aggregation, labels: Mapping[str, str]) -> dict[str, str]:
    if aggregation.without:
        return {name: value for name, value in _unnamed(labels).items() if name not in aggregation.labels}
    return {name: labels[name] for name in aggregation.labels if name in labels}


_REDUCE: Final[Mapping[str, Callable[[Floats], Floats]]] = {
    "sum": lambda table: np.nansum(table, axis=0),
    "avg": lambda table: np.nanmean(table, axis=0),
    "min": lambda table: np.nanmin(table, axis=0),
    "max": lambda table: np.nanmax(table, axis=0),
    "count": lambda table: (~np.isnan(table)).sum(axis=0).astype(np.float64),
}


def _reduce(aggregation: Aggregation, table: Floats) -> Floats:
    """Return one value of each column that has any; NaN of the others, without numpy's warning about them."""
    values = np.full(table.shape[1], np.nan)
    some = ~np.isnan(table).all(axis=0)
    if some.any():
        chosen = table[:, some]
        if aggregation.function == "quantile":
            values[some] = np.nanquantile(chosen, aggregation.parameter or 0.0, axis=0)
        else:
            values[some] = _REDUCE[aggregation.function](chosen)
    return values
