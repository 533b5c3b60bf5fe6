"""What containers use: processors and memory, of series as monitoring keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.monitoring import Points, work_out

Floats = NDArray[np.float64]

STEP: Final = 75.0
"""Seconds of a step: KRR's 1.25 minutes."""
LONGEST_GAP: Final = 300.0
MOST: Final = 1e18


def _none() -> Any:
    return np.empty(0)


@dataclass(frozen=True, slots=True)
class PodUse:
    """What a container of one pod has used: processors, a value for each step, and memory, in bytes. `first` and `last`
    are the times of its oldest and its newest sample, in seconds."""

    pod: str
    cpu: Floats = field(default_factory=_none)
    memory: Floats = field(default_factory=_none)
    first: float = 0.0
    last: float = 0.0


def measure_use(
    pod: str, counters: Sequence[Points] = (), gauges: Sequence[Points] = (), memory: Sequence[Points] = ()
) -> PodUse:
    """Return what a container has used. `counters` are seconds of processor time, `gauges` processors; a container that
    was started anew may have a series for each time. Where there are counters, gauges do not count."""
    counted = [rates_of(one) for one in counters]
    cpu = counted if any(len(one) for one in counted) else [one.values for one in gauges]
    times = [one.seconds for one in (*counters, *gauges, *memory) if len(one)]
    return PodUse(
        pod,
        _join(cpu),
        _join([one.values for one in memory]),
        min((float(one[0]) for one in times), default=0.0),
        max((float(one[-1]) for one in times), default=0.0),
    )


def _join(parts: Sequence[Floats]) -> Floats:
    """Anybody may write samples: what no machine has is left out."""
    values: Floats = np.concatenate(parts) if parts else _none()
    return values[(values >= 0) & (values < MOST)]


def rates_of(points: Points) -> Floats:
    """Return how many processors a counter of their seconds tells of: at each step what `rate(…[75s])` says, or, where
    samples are too far apart for two to lie in a step, what each two neighbours say. A gap tells nothing."""
    if len(points) < 2:
        return _none()
    seconds = points.seconds
    apart = np.diff(seconds)
    usual = float(np.median(apart))
    if usual <= STEP / 2:
        steps = np.arange(np.ceil(seconds[0] / STEP), np.floor(seconds[-1] / STEP) + 1) * STEP
        rates = work_out("rate", points, steps, STEP) if len(steps) else _none()
        return rates[np.isfinite(rates)]
    risen = np.diff(points.values)
    # A counter that falls was set to zero, and counts on from there.
    risen = np.where(risen < 0, points.values[1:], risen)
    rates = risen / apart
    return rates[apart <= max(LONGEST_GAP, 2 * usual)]


def span_of(uses: Sequence[PodUse]) -> float:
    """Return for how many seconds some pods have been measured."""
    measured = [one for one in uses if one.last]
    return max(one.last for one in measured) - min(one.first for one in measured) if measured else 0.0
