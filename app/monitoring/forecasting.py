"""When something that fills up will be full, with an interval. Pure functions over arrays.

A level grows by a drift, on which lie two kinds of noise: one that stays where it is (a daily season, what a process
writes and removes) and one that adds up (a random walk). After `h` seconds the level is

    level + drift h,  with the variance  2 stay + walk h + h^2 (walk / T + 12 stay L / T^3)

The drift is the median of the slopes of all pairs of points that lie whole lags L apart (Sen 1968; by seasons: Hirsch,
Slack and Smith 1982). `stay` and `walk` are told apart by how much changes over one lag and over two differ from the
drift's: noise that stays does not grow with the lag. A day is the lag where there are three of them, so that a daily
season cancels out. The last term is how unsure the drift is after a history of T seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.monitoring.points import MICRO, Floats, Points

DAY: Final = 86_400.0
HORIZON: Final = 365 * DAY
LEAST_POINTS: Final = 12
LEAST_WALK: Final = 0.4
MOST_POINTS: Final = 400
# Four of five: as the interval is drawn at both ends, one of ten of a normal distribution lies beyond each.
QUANTILE: Final = 1.2816
# A fall by so much of the whole is no noise: somebody has cleaned up.
CLEANED: Final = 0.1
_STEPS: Final = 2_000
_NEWEST: Final = 3

UNKNOWN: Final = "unknown"
FULL: Final = "full"
FILLING: Final = "filling"
POSSIBLE: Final = "possible"
STEADY: Final = "steady"
STATES: Final = (FULL, FILLING, POSSIBLE, STEADY, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds from the newest point until a level reaches its capacity: `expected`, and the interval in which it does
    in four of five cases. None is never, as far as a year's look goes. `growth` is per second, `points` how many were
    looked at."""

    state: str
    level: float
    capacity: float
    growth: float = 0.0
    expected: float | None = None
    earliest: float | None = None
    latest: float | None = None
    points: int = 0


@dataclass(frozen=True, slots=True)
class _Noise:
    """Variance that stays, and variance per second that adds up; the lag at which both were seen, in seconds."""

    stay: float
    walk: float
    lag: float


def forecast(points: Points, capacity: float) -> Forecast:
    """Return when points reach a capacity; `unknown` where there are fewer than LEAST_POINTS, or no time between them.

    Points are to be evenly spaced, as buckets are; gaps are no harm. At most MOST_POINTS of the newest count.
    """
    times, values = points.seconds[-MOST_POINTS:], points.values[-MOST_POINTS:]
    times, values = _since_cleaning(times, values, capacity)
    level = float(np.median(values[-_NEWEST:])) if len(values) else 0.0
    if len(values) < LEAST_POINTS or times[-1] - times[0] <= 0 or capacity <= 0:
        return Forecast(UNKNOWN, level, capacity, points=len(values))
    span = float(times[-1] - times[0])
    lag = find_lag(times)
    drift = find_drift(times, values, lag)
    if level >= capacity:
        return Forecast(FULL, level, capacity, drift, 0.0, 0.0, 0.0, len(values))
    noise, far = _find_noise(times, values - drift * times, lag), _quantile_of(span / lag)
    expected = (capacity - level) / drift if drift > 0 else None
    if expected is not None and expected > HORIZON:
        expected = None
    earliest = _reach(level, capacity, drift, noise, span, far)
    latest = _reach(level, capacity, drift, noise, span, -far) if expected is not None else None
    state = FILLING if expected is not None else POSSIBLE if earliest is not None else STEADY
    return Forecast(state, level, capacity, drift, expected, earliest, latest, len(values))


def find_lag(times: Floats) -> float:
    """Return the seconds over which changes are looked at: a day where there are three, else from point to point."""
    return DAY if times[-1] - times[0] >= 3 * DAY else _step_of(times)


def find_drift(times: Floats, values: Floats, lag: float) -> float:
    """Return the median of the slopes of all pairs of points that lie whole lags apart, per second."""
    first, second = np.triu_indices(len(times), 1)
    apart = times[second] - times[first]
    whole = np.abs(apart - np.rint(apart / lag) * lag) < _step_of(times) / 2
    whole &= apart > lag / 2
    chosen = whole if whole.any() else np.ones(len(apart), bool)
    return float(np.median((values[second] - values[first])[chosen] / apart[chosen]))


def _step_of(times: Floats) -> float:
    return float(np.median(np.diff(times)))


def _since_cleaning(times: Floats, values: Floats, capacity: float) -> tuple[Floats, Floats]:
    """Return what came after the one time that somebody has cleaned up. Of several it is a habit, which goes on."""
    falls = np.flatnonzero(np.diff(values) < -CLEANED * capacity)
    if len(falls) != 1 or len(values) - falls[0] - 1 < LEAST_POINTS:
        return times, values
    begin = int(falls[0]) + 1
    return times[begin:], values[begin:]


def _find_noise(times: Floats, rest: Floats, lag: float) -> _Noise:
    """Tell both noises apart. What the drift was fitted to differs less from it than what comes, the more so the fewer
    lags there are; and of noise that stays, a part may yet add up (LEAST_WALK): so few lags cannot rule it out."""
    lags = (times[-1] - times[0]) / lag
    one = _change(times, rest, lag) / max(1 - 1 / lags, 0.3)
    two = _change(times, rest, 2 * lag) / max(1 - 2 / lags, 0.3)
    walk = max(two - one, LEAST_WALK * two)
    return _Noise(max(one - walk, 0.0) / 2, walk / lag, lag)


def _quantile_of(lags: float) -> float:
    """Return the quantile of Student's distribution for a variance known from so many lags, by its first correction
    (Cornish and Fisher 1938)."""
    return QUANTILE + (QUANTILE**3 + QUANTILE) / (4 * max(lags - 1, 1.0))


def _change(times: Floats, rest: Floats, lag: float) -> float:
    """Return the mean square of changes over a lag, of pairs between which nothing is missing."""
    step = _step_of(times)
    count = max(round(lag / step), 1)
    if len(rest) <= count:
        return 0.0
    whole = np.abs(times[count:] - times[:-count] - lag) < step / 2
    changes = (rest[count:] - rest[:-count])[whole]
    return float(np.mean(changes**2)) if len(changes) else 0.0


def _reach(level: float, capacity: float, drift: float, noise: _Noise, span: float, quantile: float) -> float | None:
    """Return after how many seconds a quantile of the level first reaches the capacity; None for not within HORIZON."""
    ahead = HORIZON * np.linspace(0.0, 1.0, _STEPS + 1)[1:] ** 2
    unsure = noise.walk / span + 12 * noise.stay * noise.lag / span**3
    spread = np.sqrt(2 * noise.stay + noise.walk * ahead + unsure * ahead**2)
    levels = level + drift * ahead + quantile * spread
    reached = np.flatnonzero(levels >= capacity)
    if not len(reached):
        return None
    at = int(reached[0])
    if at == 0:
        return float(ahead[0])
    share = (capacity - levels[at - 1]) / (levels[at] - levels[at - 1])
    return float(ahead[at - 1] + share * (ahead[at] - ahead[at - 1]))


def moment_after(points: Points, seconds: float | None) -> float | None:
    """Return so many seconds after the newest point, in microseconds since the epoch."""
    return None if seconds is None else float(points.times[-1]) + seconds * MICRO
