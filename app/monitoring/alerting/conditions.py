"""Conditions: what a rule says of series at each step. No IO: series come from a source.

threshold       the query's value, compared with a number
absence         no series of the query has had a sample for so many seconds
rate_of_change  the query's value against that of so many seconds ago, as a difference or in percent
anomaly         the score of a series' open anomaly, compared with a number
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.monitoring.language import Expression, Line, Over, Selector, Source, evaluate, selector_of
from app.monitoring.points import Floats

THRESHOLD: Final = "threshold"
ABSENCE: Final = "absence"
CHANGE: Final = "rate_of_change"
ANOMALY: Final = "anomaly"
KINDS: Final = (THRESHOLD, ABSENCE, CHANGE, ANOMALY)

COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold. `seconds` is how long nothing came for `absence`, and how far back `rate_of_change` looks."""

    kind: str
    query: Expression
    operator: str = ">"
    threshold: float = 0.0
    seconds: float = 300.0
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A series that a condition is about: its value at each step, NaN for none, and whether the condition holds."""

    labels: Mapping[str, str]
    values: Floats
    violated: NDArray[np.bool_]


def find(condition: Condition, steps: Floats, source: Source) -> list[Finding]:
    """Return what a condition says of each series at `steps`, in seconds; `anomaly` is not for here, its scores come
    from whoever judges."""
    if condition.kind == ABSENCE:
        return [_find_absence(condition, steps, source)]
    lines = evaluate(condition.query, steps, source)
    if condition.kind == CHANGE:
        lines = _changes(condition, lines, evaluate(condition.query, steps - condition.seconds, source))
    return [Finding(line.labels, line.values, compare(condition, line.values)) for line in lines]


def compare(condition: Condition, values: Floats) -> NDArray[np.bool_]:
    """Return where values are beyond the threshold; no value is not."""
    with np.errstate(invalid="ignore"):
        beyond: NDArray[np.bool_] = COMPARE[condition.operator](values, condition.threshold)
    return beyond & ~np.isnan(values)


def _changes(condition: Condition, now: list[Line], before: list[Line]) -> list[Line]:
    known = {tuple(sorted(line.labels.items())): line.values for line in before}
    changes = []
    for line in now:
        old = known.get(tuple(sorted(line.labels.items())))
        if old is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                change = (line.values - old) / np.abs(old) * 100 if condition.percent else line.values - old
            changes.append(Line(line.labels, np.where(np.isfinite(change), change, np.nan)))
    return changes


def _find_absence(condition: Condition, steps: Floats, source: Source) -> Finding:
    """Look for samples in the seconds before each step; of what is no plain selector, for a value at the step."""
    query = condition.query
    if isinstance(query, Selector):
        query = Over("count_over_time", replace(query, seconds=condition.seconds))
    silent = np.ones(len(steps), bool)
    for line in evaluate(query, steps, source):
        silent &= np.isnan(line.values)
    equal = (one for one in selector_of(query).matchers if one.operator == "=" and one.value)
    return Finding({one.label: one.value for one in equal}, np.full(len(steps), np.nan), silent)
