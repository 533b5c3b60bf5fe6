"""What is usual for a series at each time of day, from the days that are remembered; it stands for a whole day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.sre.detection.settings import DAY, HOUR
from app.sre.detection.state import HOURS, SLOTS, SPREADS

SLOT = DAY // SLOTS
WEEK = 7
# The squared mean of square roots of a normal variable's size, to its standard deviation.
TO_DEVIATION = 1.48
# So much smaller (in logarithms) must the errors of last weeks' same days be, for them to stand for all days.
BETTER = 0.1

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Profile:
    """A day's expectations: by slot of five minutes, and by hour how far values stray."""

    expected: Floats
    deviations: Floats
    softness: float
    is_known: bool

    @classmethod
    def of(cls, record: Any) -> Profile:
        """Return what the remembered days say of the day that is open."""
        if int(record["days_kept"]) == 0:
            return cls(np.zeros(SLOTS), np.full((SPREADS, HOURS), np.inf), 1.0, is_known=False)
        daily, weekly = forecasts(record)
        expected = daily if weekly is None or float(record["week_gain"]) < BETTER else weekly
        usual = float(np.median(np.abs(expected)))
        width = float(record["width"])
        softness = 0.1 * (usual or float(np.mean(np.abs(expected)))) or 0.05 * width or 1.0
        return cls(expected, _deviations(record, 0.005 * usual + 0.001 * width + 1e-12), softness, is_known=True)

    def around(self, times: Times, step: float) -> Floats:
        """Return three rows for the times: the lowest, the middle and the highest of what is expected near them.

        What comes up to a slot's length sooner or later than on other days has not strayed.
        """
        reach = max(SLOT, 0.25 * step)
        moments = np.stack([self._at(times + np.float64(shift)) for shift in (-reach, 0.0, reach)])
        return np.stack([moments.min(axis=0), moments[1], moments.max(axis=0)])

    def ratio(self, values: Floats) -> Floats:
        """Return values on a scale where equal ratios are equally far apart, and small values are as good as none."""
        return np.arcsinh(values / self.softness)

    def _at(self, times: Floats) -> Floats:
        place = times % DAY / SLOT - 0.5
        below = np.floor(place)
        part = place - below
        first = below.astype(np.int64) % SLOTS
        return self.expected[first] * (1 - part) + self.expected[(first + 1) % SLOTS] * part


def forecasts(record: Any) -> tuple[Floats, Floats | None]:
    """Return a day's slots by all days that are remembered, and by those of the same day of the week."""
    kept = int(record["days_kept"])
    days = record["profiles"][:kept].astype(np.float64)
    same = (int(record["day"]) - record["day_numbers"][:kept]) % WEEK == 0
    return _smooth(days), _smooth(days[same]) if same.any() else None


def _smooth(days: Floats) -> Floats:
    around = np.concatenate([days, np.roll(days, 1, axis=1), np.roll(days, -1, axis=1)])
    return _filled(middle(around))


def _deviations(record: Any, least: float) -> Floats:
    spreads = record["spreads"][: int(record["days_kept"])].astype(np.float64)
    around = np.concatenate([spreads, np.roll(spreads, 1, axis=2), np.roll(spreads, -1, axis=2)])
    by_hour = middle(around.reshape(len(around), -1)).reshape(-1, HOURS)
    known = np.isfinite(by_hour)
    overall = (np.where(known, by_hour, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))[:, None]
    by_hour = np.maximum(np.where(known, by_hour, overall), 0.5 * overall) * TO_DEVIATION
    by_hour[:2] = np.maximum(by_hour[:2], least)
    by_hour[2:4] = np.maximum(by_hour[2:4], 0.005)
    return by_hour


def middle(rows: Floats) -> Floats:
    """Return each column's median over what is known of it, NaN where nothing is."""
    ordered = np.sort(rows.T, axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    columns = np.arange(len(ordered))
    lower, upper = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(rows) - 1)
    return np.where(count > 0, (ordered[columns, lower] + ordered[columns, upper]) / 2, np.nan)


def _filled(values: Floats) -> Floats:
    known = np.flatnonzero(np.isfinite(values))
    if len(known) in (0, len(values)):
        return np.nan_to_num(values)
    return np.interp(np.arange(len(values)), known, values[known], period=len(values))


def hours(times: Times) -> NDArray[np.int64]:
    """Return the hour of day of each time."""
    return times % DAY // HOUR
