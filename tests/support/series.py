"""Series for the tests of the detectors, the same at every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAY = 86_400
MONDAY = 1_700_438_400


def minutes(days: int, step: int = 60) -> NDArray[np.int64]:
    """Return the times of so many days, from a Monday's midnight on."""
    return np.arange(MONDAY, MONDAY + days * DAY, step, dtype=np.int64)


def daily(
    days: int, step: int = 60, *, base: float = 100.0, swing: float = 20.0, noise: float = 2.0, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return a series that goes up and down once a day, with noise."""
    times = minutes(days, step)
    random = np.random.default_rng(seed)
    values = base + swing * np.sin(2 * np.pi * times / DAY) + random.normal(0, noise, len(times))
    return times, values
