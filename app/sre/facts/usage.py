"""Facts of what things are used for, by series: volumes that fill up, processors that are throttled. No IO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from app.monitoring import MICRO, Points
from app.sre.facts.base import CRITICAL, INFO, WARNING, Fact, Thing

NEARLY_FULL: Final = 0.95
FILLING: Final = 0.80
SOON: Final = 4 * 3600.0
HORIZON: Final = 24 * 3600.0
LEAST_POINTS: Final = 10
LEAST_SPAN: Final = 1800.0
# What fills up in a hundred years does not fill up, and divisions by slopes of nearly nothing have no end.
_EVER: Final = 3.2e9
# A quarter of the periods is what Kubernetes' own alerts begin at.
THROTTLED: Final = 0.25
# A container that works now and then has few periods, of which some are always throttled.
LEAST_PERIODS: Final = 600.0


@dataclass(frozen=True, slots=True)
class VolumeUse:
    """How many bytes of a claim's volume were used over the last hours, and how many there are."""

    namespace: str
    claim: str
    used: Points
    capacity: float


@dataclass(frozen=True, slots=True)
class ProcessorUse:
    """How often a container's processor time was given out, and how often that was not enough: counters over some
    minutes. `workload` is what its pod belongs to."""

    workload: Thing
    container: str
    periods: Points
    throttled: Points


def find_full_volumes(volumes: Iterable[VolumeUse]) -> Iterator[Fact]:
    """Yield volumes that are nearly full, or four fifths full and full within a day as they go on."""
    for one in volumes:
        if not len(one.used) or one.capacity <= 0:
            continue
        share, left = float(one.used.values[-1]) / one.capacity, _seconds_left(one)
        if share < NEARLY_FULL and (share < FILLING or left is None or left > HORIZON):
            continue
        about = Thing("PersistentVolumeClaim", one.namespace, one.claim)
        when = f", and full in about {left / 3600:.1f} hours as it goes on" if left is not None else ""
        yield Fact(
            kind="VolumeNearlyFull",
            about=about,
            severity=CRITICAL if share >= 0.99 or (left is not None and left < SOON) else WARNING,
            message=f"{about} is {share:.0%} full{when}",
            since=_reached(one, min(share, NEARLY_FULL if share >= NEARLY_FULL else FILLING)),
            evidence={"share": round(share, 4), "capacity": one.capacity, "seconds_left": left},
        )


def _seconds_left(volume: VolumeUse) -> float | None:
    """By the median of slopes, which single jumps do not move (Theil and Sen); None where it does not fill up."""
    times, values = volume.used.times / MICRO, volume.used.values
    if len(times) < LEAST_POINTS or times[-1] - times[0] < LEAST_SPAN:
        return None
    chosen = np.unique(np.linspace(0, len(times) - 1, 40).astype(int))
    seconds, used = times[chosen], values[chosen]
    first, second = np.triu_indices(len(chosen), 1)
    slope = float(np.median((used[second] - used[first]) / (seconds[second] - seconds[first])))
    left = volume.capacity - float(values[-1])
    return left / slope if slope > 0 and 0 < left <= slope * _EVER else None


def _reached(volume: VolumeUse, share: float) -> datetime | None:
    below = np.flatnonzero(volume.used.values < share * volume.capacity)
    index = int(below[-1]) + 1 if len(below) else 0
    return datetime.fromtimestamp(int(volume.used.times[min(index, len(volume.used) - 1)]) / MICRO, UTC)


def find_throttling(uses: Iterable[ProcessorUse]) -> Iterator[Fact]:
    """Yield workloads of which a container was throttled in a quarter of its periods or more, all pods together."""
    sums: dict[tuple[Thing, str], list[Any]] = {}
    for one in uses:
        known = sums.setdefault((one.workload, one.container), [0.0, 0.0, None])
        known[0] += _increase(one.periods)
        known[1] += _increase(one.throttled)
        known[2] = one.periods if known[2] is None else known[2]
    worst: dict[Thing, tuple[float, str, Points]] = {}
    for (workload, container), (periods, throttled, points) in sums.items():
        if periods >= LEAST_PERIODS and throttled / periods >= THROTTLED:
            worst[workload] = max(
                worst.get(workload, (0.0, "", points)), (throttled / periods, container, points), key=_share
            )
    for workload, (share, container, points) in worst.items():
        yield Fact(
            kind="CPUThrottling",
            about=workload,
            severity=WARNING if share >= 2 * THROTTLED else INFO,
            message=f"{workload} is held back in {share:.0%} of its processor time (container {container})",
            since=datetime.fromtimestamp(int(points.times[0]) / MICRO, UTC),
            evidence={"share": round(share, 4), "container": container},
        )


def _share(one: tuple[float, str, Points]) -> float:
    return one[0]


def _increase(points: Points) -> float:
    """How much a counter has risen; one that falls has begun anew."""
    steps = np.diff(points.values)
    return float(np.where(steps >= 0, steps, points.values[1:]).sum()) if len(points) > 1 else 0.0
