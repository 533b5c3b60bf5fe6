"""Durations as people write them, and how long a graph of stages may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "m"))
DAY: Final = 86_400


def written(seconds: int) -> str:
    """Return a duration in the largest unit it is whole in."""
    for unit, sign in _UNITS:
        if seconds and seconds % unit == 0:
            return f"{seconds // unit}{sign}"
    return f"{seconds}s" if seconds < 1_000_000 else f"{-(-seconds // 60)}m"


def run_timeout(stages: Sequence[Mapping[str, Any]], seconds: Mapping[str, int], default: int = 3600) -> str | None:
    """Return how long a run may take for its longest path of stages, None where that is the default."""
    longest = longest_path(seconds, {stage["name"]: stage["depends_on"] for stage in stages})
    return written(min(longest, DAY)) if longest > default else None


def longest_path(lengths: Mapping[str, int], needs: Mapping[str, Sequence[str]]) -> int:
    """Return the greatest sum of lengths along any path; of a graph with a circle the sum of all."""
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        return sum(lengths.values())
    ends: dict[str, int] = {}
    for name in order:
        ends[name] = lengths.get(name, 0) + max((ends.get(each, 0) for each in needs.get(name, ())), default=0)
    return max(ends.values(), default=0)
