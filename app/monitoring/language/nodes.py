"""What a query consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LOOKBACK: Final = 300.0
"""A selector without a range takes the newest sample of so many seconds."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a label must, or must not, be; `operator` is `=`, `!=`, `=~` or `!~`."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Which series are meant; with `seconds` their samples of so long before each step."""

    name: str | None
    matchers: tuple[Matcher, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """A function of the samples in a range, such as `rate`; `parameter` is that of `quantile_over_time`."""

    function: str
    selector: Selector
    parameter: float | None = None


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One value of several series; those that agree in the labels `by`, or in all but those, are put together."""

    function: str
    of: Expression
    labels: tuple[str, ...] = field(default=())
    without: bool = False
    parameter: float | None = None


Expression = Selector | Over | Aggregation


def selector_of(expression: Expression) -> Selector:
    """Return the one selector that an expression is about."""
    if isinstance(expression, Aggregation):
        return selector_of(expression.of)
    return expression.selector if isinstance(expression, Over) else expression
