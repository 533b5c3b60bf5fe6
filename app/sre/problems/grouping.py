"""Grouping: which signals are one problem, and which of them came first. No IO.

Each signal is explained by at most one other, the one that most speaks for; what is explained by the same, directly or
over others, is one problem. So a weak link joins nothing that a strong one explains otherwise, and two incidents at one
time stay two. What has once been one problem stays one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.sre.facts import CRITICAL, INFO, WARNING
from app.sre.problems.causes import LEAST, find_link
from app.sre.problems.signals import ANOMALY, FACT, Signal

# One series may be unusual by itself: a detector that finds most faults says so now and then.
FEW_ANOMALIES: Final = 3
SEVERITIES: Final = (INFO, WARNING, CRITICAL)
_ALONE: Final[Mapping[str, float]] = {FACT: 0.6, "alert": 0.3, ANOMALY: 0.2}


@dataclass(frozen=True, slots=True)
class Known:
    """A problem that is not over, with its signals, those that have ended too."""

    id: UUID
    opened_at: datetime
    signals: Sequence[Signal]


@dataclass(frozen=True, slots=True)
class Explanation:
    """By which signal another is explained, why, and how much speaks for it."""

    by: str
    reason: str
    strength: float


@dataclass(frozen=True, slots=True)
class Cause:
    """The signal that is suspected to have come first, with what speaks for it, from 0 to 1."""

    signal: Signal
    confidence: float
    explained: int


@dataclass(frozen=True, slots=True)
class Group:
    """What is one problem: its signals by their times, the problems that they belonged to (oldest first), and the
    explanation of each signal that has one, by its key."""

    signals: Sequence[Signal]
    problems: Sequence[UUID]
    explanations: Mapping[str, Explanation]
    cause: Cause

    @property
    def severity(self) -> str:
        """The worst of what still holds, or of all of it where nothing does."""
        chosen = [one for one in self.signals if one.ended_at is None] or list(self.signals)
        return max((one.severity for one in chosen), key=SEVERITIES.index)

    @property
    def opens(self) -> bool:
        """Whether this is enough for a problem."""
        anomalies = sum(one.source == ANOMALY for one in self.signals)
        return any(one.opens for one in self.signals) or anomalies >= FEW_ANOMALIES


def group(signals: Iterable[Signal], known: Sequence[Known] = ()) -> list[Group]:
    """Return what belongs together of the signals that hold, together with those of known problems."""
    everything = {one.key: one for problem in known for one in problem.signals}
    everything |= {one.key: one for one in signals}
    explanations = explain(list(everything.values()))
    homes = _unite(everything, explanations, known)
    together: dict[str, list[Signal]] = defaultdict(list)
    for key, signal in everything.items():
        together[homes[key]].append(signal)
    ordered = sorted(known, key=lambda problem: (problem.opened_at, str(problem.id)))
    made = []
    for home, some in together.items():
        mine = [problem.id for problem in ordered if any(homes[one.key] == home for one in problem.signals)]
        made.append(_make(sorted(some, key=lambda one: (one.start, one.key)), mine, explanations))
    return made


def explain(signals: Sequence[Signal]) -> dict[str, Explanation]:
    """Return for each signal that has an explanation the best one; causes come before effects, so there is no ring."""
    found = {}
    ordered = sorted(signals, key=lambda one: one.order)
    for place, effect in enumerate(ordered):
        best = _find_best(ordered[:place], effect)
        if best is not None:
            found[effect.key] = best
    return found


def _find_best(causes: Sequence[Signal], effect: Signal) -> Explanation | None:
    best, least = None, LEAST
    for cause in causes:
        link = find_link(cause, effect, least)
        if link is not None:
            rank = (link.strength, _closeness(cause, effect), cause.key)
            if best is None or rank > best[0]:
                best, least = (rank, Explanation(cause.key, link.reason, link.strength)), link.strength
    return best[1] if best else None


def _closeness(cause: Signal, effect: Signal) -> float:
    return -abs(effect.began - cause.began)


def _unite(
    everything: Mapping[str, Signal], explanations: Mapping[str, Explanation], known: Sequence[Known]
) -> dict[str, str]:
    """Return for each signal the name of the group that it is in."""
    homes = {key: key for key in everything}

    def home(key: str) -> str:
        while homes[key] != key:
            homes[key] = homes[homes[key]]
            key = homes[key]
        return key

    for key, explanation in explanations.items():
        homes[home(key)] = home(explanation.by)
    for problem in known:
        for one in problem.signals[1:]:
            homes[home(one.key)] = home(problem.signals[0].key)
    return {key: home(key) for key in everything}


def _make(signals: Sequence[Signal], problems: Sequence[UUID], explanations: Mapping[str, Explanation]) -> Group:
    mine = {one.key: explanations[one.key] for one in signals if one.key in explanations}
    return Group(signals, problems, mine, _find_cause(signals, mine))


def _find_cause(signals: Sequence[Signal], explanations: Mapping[str, Explanation]) -> Cause:
    """Of those that nothing explains, the one that explains most; among equals the nearest to what goes wrong first,
    then the earliest."""
    below: dict[str, int] = defaultdict(int)
    strengths: dict[str, list[float]] = defaultdict(list)
    for explanation in explanations.values():
        strengths[explanation.by].append(explanation.strength)
        upper: str | None = explanation.by
        while upper is not None:
            below[upper] += 1
            upper = explanations[upper].by if upper in explanations else None
    roots = [one for one in signals if one.key not in explanations]
    first = min(roots, key=lambda one: (-below[one.key], one.order))
    return Cause(first, _trust(first, strengths[first.key], len(signals)), below[first.key])


def _trust(first: Signal, strengths: Sequence[float], count: int) -> float:
    """Nothing is certain: a fact that explains others well is trusted most, an alert alone hardly."""
    alone = _ALONE.get(first.source, 0.2)
    if count == 1 or not strengths:
        return alone
    return round(min(0.95, alone + (1 - alone) * max(strengths) * 0.75), 2)
