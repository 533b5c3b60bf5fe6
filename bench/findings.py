"""What was measured, and whether it is as good as it should be."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on our figure, on its ratio to the bare part's, or on what it is more than that."""

    bound: float
    on: Literal["ratio", "figure", "difference"] = "ratio"
    at_least: bool = False

    def is_met(self, found: Finding) -> bool:
        """Tell whether a finding is within the bound."""
        value = {"ratio": found.ratio, "figure": found.ours, "difference": found.ours - (found.bare or 0.0)}[self.on]
        if value is None:
            return False
        return value >= self.bound if self.at_least else value <= self.bound

    def shown(self, unit: str) -> str:
        """Return the bound in words."""
        sign = "≥" if self.at_least else "≤"
        if self.on == "ratio":
            return f"{sign} {self.bound:g} times"
        return f"{sign} {'+' if self.on == 'difference' else ''}{self.bound:g} {unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of ours, beside that of a bare part where there is one."""

    what: str
    ours: float
    unit: str = ""
    beside: str = ""
    bare: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the bare part's figure ours is."""
        return self.ours / self.bare if self.bare else None

    def cells(self) -> tuple[str, ...]:
        """Return the finding as the table shows it."""
        met = "" if self.goal is None else "yes" if self.goal.is_met(self) else "NO"
        return (
            self.what,
            _shown(self.ours, self.unit),
            "" if self.bare is None else f"{_shown(self.bare, self.unit)} {self.beside}",
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.goal is None else self.goal.shown(self.unit),
            met,
        )


HEADINGS = ("what", "ours", "beside", "ratio", "goal", "met")


def table(findings: Iterable[Finding]) -> str:
    """Return the findings as a table in Markdown, its columns aligned."""
    rows = [HEADINGS, *(found.cells() for found in findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _shown(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def in_turns(rounds: int, parts: Mapping[str, Callable[[], Measured]]) -> dict[str, list[Measured]]:
    """Measure each part once a round: what the neighbours do to one of them they do to all."""
    taken: dict[str, list[Measured]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, measure in parts.items():
            taken[name].append(measure())
    return taken


def median_ratio(ours: Sequence[float], bare: Sequence[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(ours, bare, strict=True))
