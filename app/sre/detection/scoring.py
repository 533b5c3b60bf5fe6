"""Makes one score of several measures: each in multiples of what it reaches on this series' own usual days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.sre.detection.evidence import CALM, DRIFT, FLAT, JUMP, JUMP_RATIO, NOVEL, ROUGH, SHIFT
from app.sre.detection.profile import Floats, Times, hours, middle
from app.sre.detection.settings import DAY, Detector
from app.sre.detection.state import CHANNELS

# What a measure reaches on a usual day at least (as plain noise does), and until days are known.
LEAST = {JUMP: 3.0, JUMP_RATIO: 3.0, SHIFT: 2.1, DRIFT: 2.1, ROUGH: 2.1, FLAT: 8.0, CALM: 1.8}
WEIGHTS = {JUMP: 1.0, JUMP_RATIO: 1.0, SHIFT: 0.8, DRIFT: 0.8, ROUGH: 0.8, FLAT: 1.0, CALM: 0.9}
# Scores stay below the tier of values that were never seen, and that tier's own width is bounded.
TIER = 100.0
WIDEST = 1000.0


@dataclass(frozen=True, slots=True)
class Scores:
    """For each point its score, how far it jumps by itself, the measure its score comes from; what is usual of each."""

    total: Floats
    sharp: Floats
    channels: Times
    is_novel: Any
    usual: Floats


def weigh(record: Any, strengths: Floats, detector: Detector) -> Scores:
    """Score points of one day by the days before it."""
    usual = _usual(record)
    weighed = strengths / usual[:, None] * np.array([WEIGHTS.get(each, 0.0) for each in range(CHANNELS)])[:, None]
    novelty = np.minimum(strengths[NOVEL], WIDEST)
    lift = 1 + np.minimum(1.0, detector.novel_lift * novelty)
    sharp = np.maximum(weighed[JUMP], weighed[JUMP_RATIO]) * lift
    reach = weighed.max(axis=0) * lift
    total = TIER * reach / (TIER + reach)
    is_novel = (total >= detector.novel_score) & (novelty >= detector.novel_width)
    total = np.where(is_novel, TIER + novelty, total)
    if int(record["days_kept"]) < detector.learning_days:
        total, sharp = np.zeros_like(total), np.zeros_like(sharp)
    return Scores(total, sharp, _channels(weighed, strengths), is_novel, usual)


def _channels(weighed: Floats, strengths: Floats) -> Times:
    """Return the measure that each score comes from; the calm of a value that stands still is told as a standstill."""
    highest = weighed.argmax(axis=0)
    return np.where((highest == CALM) & (strengths[FLAT] >= LEAST[FLAT]), FLAT, highest)


def note_tops(record: Any, times: Times, strengths: Floats) -> None:
    """Remember the highest of each measure in each hour of the open day."""
    np.maximum.at(record["hour_tops"], hours(times), strengths.T)


def usual_top(record: Any) -> Floats:
    """Return what each measure reached on the open day: in all but its worst hour, so that one incident hides no other.

    A standstill is known by its longest.
    """
    tops = record["hour_tops"]
    seen = int((record["spread_count"] > 0).sum())
    ordered = np.sort(tops, axis=0)
    top = ordered[-min(2, max(seen, 1))]
    top[FLAT] = ordered[-1, FLAT]
    return top


def _usual(record: Any) -> Floats:
    tops = record["tops"][: int(record["days_kept"])].astype(np.float64)
    least = np.array([LEAST.get(channel, 1.0) for channel in range(CHANNELS)])
    if not len(tops):
        return least
    usual = np.nan_to_num(middle(tops))
    usual[FLAT] = np.nan_to_num(tops[:, FLAT]).max()
    # What is usual is known worse, the fewer points a day has.
    return np.maximum(usual, least) * (1 + 5 / (DAY / float(record["step"])) ** 0.5)
