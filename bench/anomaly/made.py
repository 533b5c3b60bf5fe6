"""Makes series as clusters have them, with faults of eight kinds at known times, for where no data are at hand.

Each series carries what is no fault as well: a daily and a weekly season, noise that remembers, a nightly job, gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

DAY = 86_400
HOUR = 3600
START = 1_700_438_400
WARM_UP_DAYS = 5
KINDS = ("cpu", "memory", "latency", "errors", "requests", "queue")
Fault = Callable[[Values, float, np.random.Generator], Values]


def generate(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield series as `name kind t x events`, where an event is its first and last second and its kind of fault."""
    random = np.random.default_rng(seed)
    for number in range(count):
        kind, step = KINDS[number % len(KINDS)], int(random.choice([60, 300]))
        times = np.arange(START, START + (28 if step == 300 else 14) * DAY, step, dtype=np.int64)
        values = _healthy(kind, times, random)
        events = _break(values, times, random)
        kept = random.random(len(times)) > 0.002
        yield {"name": f"m{number:03d}", "kind": kind, "t": times[kept], "x": values[kept], "events": events}


def _healthy(kind: str, times: Times, random: np.random.Generator) -> Values:
    hours = times / HOUR
    season = 1 + random.uniform(0.1, 0.5) * np.sin(2 * np.pi * (hours - random.uniform(0, 24)) / 24)
    season *= np.where((times // DAY + 3) % 7 >= 5, random.uniform(0.6, 1.0), 1.0)
    noise = random.uniform(0.02, 0.1) * _remembering(random.normal(size=len(times)), random.uniform(0.2, 0.9))
    if kind == "memory":
        return random.uniform(200, 4000) * (1 + 0.1 * (times % (3 * DAY)) / (3 * DAY) + 0.2 * noise)
    base = {"cpu": 30.0, "latency": 120.0, "errors": 3.0, "requests": 400.0, "queue": 15.0}[kind] * random.uniform(
        0.4, 2
    )
    values = base * season * np.exp(noise)
    if random.random() < 0.4:
        values *= np.where(times % DAY < random.uniform(600, 1800), random.uniform(1.4, 2.2), 1.0)
    return random.poisson(values).astype(np.float64) if kind in ("errors", "requests") else values


def _remembering(shocks: Values, memory: float) -> Values:
    level, values = 0.0, np.empty_like(shocks)
    for at, shock in enumerate(shocks.tolist()):
        level = values[at] = memory * level + shock * (1 - memory**2) ** 0.5
    return values


def _break(values: Values, times: Times, random: np.random.Generator) -> list[tuple[int, int, str]]:
    events = []
    usual = float(np.median(np.abs(values - np.median(values)))) * 1.48 + 1e-9
    for day in range(WARM_UP_DAYS, int((times[-1] - START) // DAY), 2):
        if random.random() < 0.5:
            continue
        kind = str(random.choice(list(FAULTS)))
        shortest, longest, fault = FAULTS[kind]
        first = int(np.searchsorted(times, START + day * DAY + random.integers(DAY)))
        last = min(
            int(np.searchsorted(times, times[min(first, len(times) - 1)] + random.uniform(shortest, longest))),
            len(times) - 1,
        )
        if last - first < 2:
            continue
        size = random.uniform(1, 2.2) * max(3 * usual, 0.5 * float(np.median(values[max(0, first - 60) : first])))
        values[first:last] = np.maximum(fault(values[first:last], size, random), 0)
        events.append((int(times[first]), int(times[last - 1]), kind))
    return events


FAULTS: dict[str, tuple[float, float, Fault]] = {
    "spike": (120, 600, lambda values, size, _: values + size),
    "level": (HOUR, 8 * HOUR, lambda values, size, random: values + size * random.choice([0.7, -0.5])),
    "ramp": (3 * HOUR, 12 * HOUR, lambda values, size, _: values + np.linspace(0, size, len(values))),
    "unrest": (HOUR, 5 * HOUR, lambda values, size, random: values + random.normal(0, size / 2, len(values))),
    "drop": (300, HOUR, lambda values, _, random: values * random.uniform(0, 0.25)),
    "flatline": (HOUR, 4 * HOUR, lambda values, _, __: np.full_like(values, values[0])),
    "season": (3 * HOUR, 7 * HOUR, lambda values, _, random: 0.1 * values + random.uniform(0.3, 0.6) * values.mean()),
    "burst": (1200, 2 * HOUR, lambda values, size, random: values + 1.5 * size * (random.random(len(values)) < 0.35)),
}
