"""Which fault comes when: a pure function of the seed, so that a run that failed can be had again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WORKERS: Final = ("worker-ci", "worker-default", "worker-skewed")
# Days and hours either way: what believes in a host's clock shows it.
SKEWS: Final = (-2 * 86_400, -7_200, 5_400, 2 * 86_400)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how often it comes beside others, whom it may hit, and for how many seconds it lasts."""

    weight: int
    targets: Sequence[str]
    least: float = 0.0
    most: float = 0.0


KINDS: Final[Mapping[str, Kind]] = {
    "kill child": Kind(40, (*WORKERS, "web")),
    "kill": Kind(30, (*WORKERS, "web", "stream", "relay", "beat")),
    "restart": Kind(6, (*WORKERS, "web", "stream", "relay", "beat")),
    "freeze": Kind(5, WORKERS, 6.0, 8.0),
    "freeze child": Kind(5, WORKERS, 6.0, 8.0),
    "wipe": Kind(4, ("redis",)),
    "stop redis": Kind(4, ("redis",), 0.2, 3.0),
    "lose": Kind(2, ("redis",), 0.1, 1.0),
    "stop postgres": Kind(3, ("postgres",), 0.1, 2.0),
    "freeze server": Kind(2, ("redis", "postgres"), 0.5, 3.0),
    "fill disk": Kind(2, ("logs",), 1.0, 4.0),
    "deploy": Kind(1, ("everything",)),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that begins `at` seconds after the start and ends `seconds` later; `pick` chooses among its victims."""

    at: float
    kind: str
    target: str
    seconds: float
    pick: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that is left to chance in a run, except the machine."""

    seed: int
    skew: int
    faults: tuple[Fault, ...]

    @property
    def seconds(self) -> float:
        """When the last fault is over."""
        return max((fault.at + fault.seconds for fault in self.faults), default=0.0)


def make_schedule(seed: int, kills: int, spacing: float) -> Schedule:
    """Return `kills` faults, one every `spacing` seconds on average; of each kind at least one if there are enough."""
    dice = random.Random(seed)
    names = list(KINDS)
    dice.shuffle(names)
    weights = [KINDS[name].weight for name in names]
    names += dice.choices(names, weights, k=max(kills - len(names), 0))
    chosen = names[:kills]
    dice.shuffle(chosen)
    moments = [(place + dice.random()) * spacing for place in range(kills)]
    faults = tuple(_make_fault(dice, name, moment) for name, moment in zip(chosen, moments, strict=True))
    return Schedule(seed, dice.choice(SKEWS), faults)


def _make_fault(dice: random.Random, name: str, moment: float) -> Fault:
    kind = KINDS[name]
    seconds = round(dice.uniform(kind.least, kind.most), 2)
    return Fault(round(moment, 2), name, dice.choice(list(kind.targets)), seconds, dice.randrange(1_000_000))
