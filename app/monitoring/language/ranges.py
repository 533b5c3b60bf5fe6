"""Functions of the samples in the window before each step: after its start, up to the step itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from app.monitoring.points import Floats, Points

Work = Callable[["Windows", float | None], Floats]


@dataclass(frozen=True, slots=True)
class Windows:
    """Samples, and for each step which of them lie in its window: `[first, stop)`."""

    times: Floats
    values: Floats
    steps: Floats
    seconds: float
    first: NDArray[np.intp]
    stop: NDArray[np.intp]

    @classmethod
    def of(cls, points: Points, steps: Floats, seconds: float) -> Self:
        """Return the windows of so many seconds before the steps."""
        times = points.seconds
        first = np.searchsorted(times, steps - seconds, side="right")
        stop = np.searchsorted(times, steps, side="right")
        return cls(times, points.values, steps, seconds, first, stop)

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many samples each window has."""
        return self.stop - self.first

    def where(self, least: int, work: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats]) -> Floats:
        """Return what `work` says of the windows with at least so many samples, given their bounds; NaN of others."""
        result = np.full(len(self.steps), np.nan)
        full = self.counts >= least
        if full.any():
            result[full] = work(self.first[full], self.stop[full])
        return result

    def reduce(self, how: np.ufunc, values: Floats) -> Floats:
        """Reduce the values of each window that has any."""
        # One more, that a window may end behind the last; every second result lies between two windows.
        padded = np.append(values, 0.0)
        return self.where(1, lambda first, stop: how.reduceat(padded, np.column_stack((first, stop)).ravel())[::2])


def _last(windows: Windows, _: float | None) -> Floats:
    return windows.where(1, lambda _first, stop: windows.values[stop - 1])


def _sum(windows: Windows, _: float | None) -> Floats:
    return windows.reduce(np.add, windows.values)


def _avg(windows: Windows, _: float | None) -> Floats:
    return _sum(windows, None) / np.maximum(windows.counts, 1)


def _count(windows: Windows, _: float | None) -> Floats:
    return windows.where(1, lambda first, stop: (stop - first).astype(np.float64))


def _stddev(windows: Windows, _: float | None) -> Floats:
    return _each(windows, lambda values: float(np.std(values)))


def _quantile(windows: Windows, parameter: float | None) -> Floats:
    return _each(windows, lambda values: float(np.quantile(values, parameter or 0.0)))


def _each(windows: Windows, work: Callable[[Floats], float]) -> Floats:
    def walk(first: NDArray[np.intp], stop: NDArray[np.intp]) -> Floats:
        bounds = zip(first.tolist(), stop.tolist(), strict=True)
        return np.array([work(windows.values[begin:end]) for begin, end in bounds])

    return windows.where(1, walk)


def _increase(windows: Windows, *, is_counter: bool) -> Floats:
    """Return by how much the values rose in each window, extended to its bounds as Prometheus does
    (promql/functions.go, extrapolatedRate): to the bound where a sample is near, by half a step else, and never to
    before the counter was zero.

    A counter that falls was reset: it counts on from zero.
    """
    steps = np.diff(windows.values, prepend=windows.values[:1])
    if is_counter:
        steps = np.where(steps < 0, windows.values, steps)
    risen = np.cumsum(steps)

    def work(first: NDArray[np.intp], stop: NDArray[np.intp]) -> Floats:
        last, full = stop - 1, windows.counts >= 2
        rise, span = risen[last] - risen[first], windows.times[last] - windows.times[first]
        mean = span / (last - first)
        before = windows.times[first] - (windows.steps[full] - windows.seconds)
        after = windows.steps[full] - windows.times[last]
        before = np.where(before >= mean * 1.1, mean / 2, before)
        after = np.where(after >= mean * 1.1, mean / 2, after)
        if is_counter:
            start = windows.values[first]
            to_zero = np.where((rise > 0) & (start >= 0), span * start / np.where(rise > 0, rise, 1.0), np.inf)
            before = np.minimum(before, to_zero)
        return rise * (span + before + after) / span

    return windows.where(2, work)


FUNCTIONS: Final[Mapping[str, Work]] = {
    "last_over_time": _last,
    "sum_over_time": _sum,
    "avg_over_time": _avg,
    "min_over_time": lambda windows, _: windows.reduce(np.minimum, windows.values),
    "max_over_time": lambda windows, _: windows.reduce(np.maximum, windows.values),
    "count_over_time": _count,
    "stddev_over_time": _stddev,
    "quantile_over_time": _quantile,
    "delta": lambda windows, _: _increase(windows, is_counter=False),
    "increase": lambda windows, _: _increase(windows, is_counter=True),
    "rate": lambda windows, _: _increase(windows, is_counter=True) / windows.seconds,
}


def work_out(function: str, points: Points, steps: Floats, seconds: float) -> Floats:
    """Return a function of the samples in the `seconds` before each step, as a query has it; NaN where it has none."""
    return FUNCTIONS[function](Windows.of(points, steps, seconds), None)
