"""Judges new points of one series, day by day: what was learned until midnight stands for the whole day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.sre.detection.counters import count, increases
from app.sre.detection.days import close_day, count_slots, open_day, settle
from app.sre.detection.episodes import Episodes
from app.sre.detection.evidence import gather
from app.sre.detection.profile import Floats, Profile, Times
from app.sre.detection.scoring import note_tops, weigh
from app.sre.detection.settings import DAY, DEFAULT, Detector
from app.sre.detection.state import State
from app.sre.detection.verdicts import Anomaly

# Beyond it, what is kept of a day would leave what small floats hold.
LARGEST = 1e30


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of judging: a score ≥ 0 for each of `times`, and the anomalies that opened, went on or ended."""

    state: State
    times: NDArray[np.int64]
    scores: NDArray[np.float64]
    anomalies: tuple[Anomaly, ...]


def judge(state: State | None, times: ArrayLike, values: ArrayLike, detector: Detector = DEFAULT) -> Judgement:
    """Score points that are newer than all that the state has seen; `None` is the state of a new series.

    Points may come in any order; of several at one time the first counts; those without a finite value and those at or
    before the last time judged are left out. A score rests on its own and earlier points alone, and is the same whether
    points come in one call or in many. The state handed in stays as it is. Raises `ValueError` for unequal lengths.
    """
    after = State.fresh() if state is None else state.copy()
    seconds, numbers = _in_order(after.record, times, values)
    episodes = Episodes(after.record, detector)
    scores = np.zeros(len(seconds))
    for first, last in _days(seconds):
        scores[first:last] = _judge_day(after.record, seconds[first:last], numbers[first:last], episodes, detector)
    return Judgement(after, seconds, scores, episodes.told())


def _judge_day(record: Any, times: Times, raw: Floats, episodes: Episodes, detector: Detector) -> Floats:
    day = int(times[0]) // DAY
    begins = day != int(record["day"])
    if begins:
        close_day(record)
        open_day(record, day, int(times[0]))
    profile = Profile.of(record)
    if begins:
        settle(record, profile)
    values = increases(record, raw) if record["is_counter"] else raw
    count(record, raw)
    evidence = gather(record, profile, times, values, detector)
    scores = weigh(record, evidence.strengths, detector)
    note_tops(record, times, evidence.strengths)
    count_slots(record, times, values)
    episodes.follow(times, values, scores, evidence)
    return scores.total


def _in_order(record: Any, times: ArrayLike, values: ArrayLike) -> tuple[Times, Floats]:
    seconds, numbers = np.asarray(times, dtype=np.int64).ravel(), np.asarray(values, dtype=np.float64).ravel()
    if len(seconds) != len(numbers):
        raise ValueError(f"{len(seconds)} times and {len(numbers)} values")
    fit = np.isfinite(numbers) & (seconds > int(record["last_time"]))
    seconds, first = np.unique(seconds[fit], return_index=True)
    return seconds, np.clip(numbers[fit][first], -LARGEST, LARGEST)


def _days(times: Times) -> list[tuple[int, int]]:
    if not len(times):
        return []
    cuts = np.flatnonzero(np.diff(times // DAY)) + 1
    return list(zip([0, *cuts.tolist()], [*cuts.tolist(), len(times)], strict=True))
