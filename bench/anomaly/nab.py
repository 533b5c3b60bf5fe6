"""The score of the Numenta Anomaly Benchmark, standard profile, with the best of all thresholds as its optimiser does.

Source: numenta/NAB, `nab/sweeper.py` and `config/profiles.json`; Lavin and Ahmad, "Evaluating Real-time Anomaly
Detection Algorithms", 2015. Rewritten from its description.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from bench.anomaly.series import Series, Values

FALSE_WEIGHT = 0.11
MISS_WEIGHT = 1.0
PROBATION_SHARE = 0.15
PROBATION_ROWS = 750

Row = tuple[float, tuple[int, int] | None, float]


def best_score(judged: Iterable[tuple[Series, Values]]) -> float:
    """Return 100 for every window hit at its first row and no false alert, 0 for silence; scores one per row."""
    rows: list[Row] = []
    windows = 0
    for number, (series, scores) in enumerate(judged):
        rows += _rows(number, series, scores)
        windows += len(series.events)
    rows.sort(key=lambda row: -row[0])
    silence = -MISS_WEIGHT * windows
    return 100 * (_sweep(rows, silence) - silence) / (windows - silence)


def _sweep(rows: list[Row], silence: float) -> float:
    best = total = silence
    won: dict[tuple[int, int], float] = {}
    for place, (score, window, worth) in enumerate(rows):
        if window is None:
            total += worth
        else:
            before = won.get(window, -MISS_WEIGHT)
            won[window] = max(before, worth)
            total += won[window] - before
        if place + 1 == len(rows) or rows[place + 1][0] != score:
            best = max(best, total)
    return best


def _rows(number: int, series: Series, scores: Values) -> Iterator[Row]:
    first = min(math.floor(PROBATION_SHARE * len(series.times)), math.floor(PROBATION_SHARE * 5000))
    spans = [_span(series, event.start, event.end) for event in series.events]
    before: tuple[int, int] | None = None
    for row in range(len(series.times)):
        inside = next(((left, right) for left, right in spans if left <= row <= right), None)
        if inside is not None:
            left, right = before = inside
            worth = _sigmoid(-(right - row + 1) / (right - left + 1)) / _sigmoid(-1.0)
        else:
            past = -FALSE_WEIGHT
            worth = past if before is None else FALSE_WEIGHT * _sigmoid((row - before[1]) / (before[1] - before[0]))
        if row >= first:
            yield float(scores[row]), None if inside is None else (number, inside[0]), worth


def _span(series: Series, start: int, end: int) -> tuple[int, int]:
    rows = np.flatnonzero((series.times >= start) & (series.times <= end))
    return int(rows[0]), int(rows[-1])


def _sigmoid(place: float) -> float:
    return -1.0 if place > 3 else 2 / (1 + math.exp(5 * place)) - 1
