"""How alerts and scores are held to labelled events: what was found, how soon, and how often nothing was wrong.

An alert inside an event or within an hour after it (two samples if they are further apart) is not false; an event is
found by an alert until ten minutes after its end; the first three days of a series are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.anomaly.series import Series, Times, Values

DAY = 86_400
WARM_UP = 3 * DAY
LATE = 600
AFTERMATH = 3600
QUIET = 3600


@dataclass(slots=True)
class Tally:
    """What the alerts of some series were worth; delays in minutes."""

    events: int = 0
    found: int = 0
    alerts: int = 0
    false: int = 0
    days: float = 0.0
    delays: list[float] = field(default_factory=list)
    by_kind: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    @property
    def recall(self) -> float:
        """The share of events that were found."""
        return self.found / self.events if self.events else 1.0

    @property
    def precision(self) -> float:
        """The share of alerts that were not false."""
        return 1 - self.false / self.alerts if self.alerts else 1.0

    @property
    def false_per_day(self) -> float:
        """False alerts per day of one series."""
        return self.false / self.days if self.days else 0.0

    def delay(self, percent: float) -> float:
        """Return a percentile of the minutes from an event's start to its first alert."""
        return float(np.percentile(self.delays, percent)) if self.delays else float("nan")


def tally(judged: Iterable[tuple[Series, Times]]) -> Tally:
    """Hold the moments at which alerts were raised to the events of their series."""
    total = Tally()
    for series, alerts in judged:
        _add(total, series, alerts)
    return total


def _add(total: Tally, series: Series, alerts: Times) -> None:
    warm = int(series.times[0]) + WARM_UP
    alerts = np.sort(alerts[alerts >= warm])
    after = max(AFTERMATH, 2 * series.step)
    is_false = np.ones(len(alerts), dtype=bool)
    for event in series.events:
        is_false &= (alerts < event.start) | (alerts > event.end + after)
        if event.end < warm:
            continue
        hits = alerts[(alerts >= event.start) & (alerts <= event.end + LATE)]
        total.events += 1
        total.found += bool(len(hits))
        total.by_kind[event.kind].append(bool(len(hits)))
        if len(hits):
            total.delays.append((int(hits[0]) - event.start) / 60)
    total.alerts += len(alerts)
    total.false += int(is_false.sum())
    total.days += max(0.0, (int(series.times[-1]) - warm) / DAY)


def crossings(times: Times, scores: Values, threshold: float, step: int) -> Times:
    """Return when scores reach a threshold that they had been below for an hour (two steps of slower series)."""
    high = times[scores >= threshold]
    return high[np.diff(high, prepend=-DAY * DAY) > max(QUIET, 2 * step)] if len(high) else high


def recall_at(budgets: Sequence[float], judged: Sequence[tuple[Series, Times, Values]]) -> list[float]:
    """Return the best recall within each budget of false alerts per series-day, over one threshold for all series."""
    tops = np.sort(np.concatenate([_hourly(times, scores) for _, times, scores in judged if len(times)]))[::-1]
    thresholds = np.unique(tops[np.geomspace(1, len(tops) // 10, 80).astype(np.int64)])
    high = [(series, *_above(times, scores, float(thresholds[0]))) for series, times, scores in judged]
    found = [
        tally((series, crossings(times, scores, threshold, series.step)) for series, times, scores in high)
        for threshold in thresholds
    ]
    return [max((each.recall for each in found if each.false_per_day <= budget), default=0.0) for budget in budgets]


def _hourly(times: Times, scores: Values) -> Values:
    """Return the highest score of each hour: long stretches of high scores are one alert, not many thresholds."""
    return np.maximum.reduceat(scores, np.unique(times // QUIET, return_index=True)[1])


def _above(times: Times, scores: Values, least: float) -> tuple[Times, Values]:
    kept = scores >= least
    return times[kept], scores[kept]
