"""How healthy a cluster is, as a number from 0 to 100 with its parts. Pure.

A part that is not known counts for nothing: the others share its weight. A cluster that does not answer is not healthy
whatever was last seen of it, so its score is at most MOST_AWAY.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

AVAILABILITY: Final = "availability"
NODES: Final = "nodes"
PODS: Final = "pods"
CAPACITY: Final = "capacity"
ALERTS: Final = "alerts"
WEIGHTS: Final[Mapping[str, float]] = {AVAILABILITY: 0.3, NODES: 0.2, PODS: 0.2, CAPACITY: 0.15, ALERTS: 0.15}
MOST_AWAY: Final = 20.0

HEALTHY: Final = "healthy"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
UNKNOWN: Final = "unknown"
LEVELS: Final = (HEALTHY, WARNING, CRITICAL, UNKNOWN)
_FROM: Final = ((90.0, HEALTHY), (70.0, WARNING), (0.0, CRITICAL))

# Up to this share of what there is nothing is lost, at all of it everything.
ROOMY: Final = 0.8
COSTS: Final[Mapping[str, float]] = {"critical": 25.0, "warning": 10.0, "info": 2.0}

IMPROVING: Final = "improving"
STABLE: Final = "stable"
DECLINING: Final = "declining"
TRENDS: Final = (IMPROVING, STABLE, DECLINING)
# Fewer than so many things more or less are chance.
LEAST_CHANGE: Final = 3
CHANGED: Final = 1.5


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a score, from 0 to 100, with what it rests on; None is not known."""

    name: str
    score: float | None
    message: str

    @property
    def weight(self) -> float:
        """How much it counts."""
        return WEIGHTS[self.name]


@dataclass(frozen=True, slots=True)
class Score:
    """The whole: None where no part is known."""

    score: float | None
    level: str
    parts: Sequence[Part]


def judge(parts: Sequence[Part], *, is_away: bool) -> Score:
    """Return the weighted mean of the parts that are known."""
    known = [(part.weight, part.score) for part in parts if part.score is not None]
    if not known:
        return Score(None, UNKNOWN, parts)
    mean = sum(weight * score for weight, score in known) / sum(weight for weight, _ in known)
    score = round(min(mean, MOST_AWAY) if is_away else mean, 1)
    return Score(score, next(level for least, level in _FROM if score >= least), parts)


def of_checks(healthy: int, total: int) -> Part:
    """Judge how many checks a cluster has answered."""
    if not total:
        return Part(AVAILABILITY, None, "It was not checked yet.")
    return Part(AVAILABILITY, 100 * healthy / total, f"{healthy} of {total} checks in the last hours were answered.")


def of_nodes(ready: int | None, total: int | None) -> Part:
    """Judge how many nodes are ready."""
    if not total:
        return Part(NODES, None, "No nodes are known.")
    return Part(NODES, 100 * (ready or 0) / total, f"{ready or 0} of {total} nodes are ready.")


def of_pods(failing: int, total: int) -> Part:
    """Judge how many pods do what they should."""
    if not total:
        return Part(PODS, None, "No pods are known.")
    return Part(PODS, 100 * (total - failing) / total, f"{failing} of {total} pods do not run.")


def of_use(shares: Mapping[str, float]) -> Part:
    """Judge by what is used most of what there is; shares are from 0 to 1, by what is used."""
    if not shares:
        return Part(CAPACITY, None, "No use is measured.")
    name = max(shares, key=lambda one: shares[one])
    left = (1 - shares[name]) / (1 - ROOMY)
    return Part(CAPACITY, 100 * min(max(left, 0.0), 1.0), f"{shares[name]:.0%} of the {name} is used.")


def of_alerts(firing: Mapping[str, int]) -> Part:
    """Judge by what fires, by its severity."""
    lost = sum(COSTS.get(severity, 0.0) * count for severity, count in firing.items())
    count = sum(firing.values())
    return Part(ALERTS, max(100 - lost, 0.0), f"{count} alerts fire." if count != 1 else "1 alert fires.")


def find_trend(per_day: Iterable[int]) -> str:
    """Return whether fewer things go wrong in the later half of some days than in the earlier one."""
    days = list(per_day)
    half = len(days) // 2
    before, after = sum(days[:half]), sum(days[len(days) - half :])
    if abs(after - before) < LEAST_CHANGE:
        return STABLE
    if after >= before * CHANGED:
        return DECLINING
    return IMPROVING if before >= after * CHANGED else STABLE
