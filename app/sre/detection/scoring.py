"""Makes one score of several measures: each in multiples of what it reaches on this series' own usual days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.sre.detection.evidence import DRIFT, FLAT, JUMP, JUMP_RATIO, NOVEL, ROUGH, SHIFT
from app.sre.detection.profile import Floats, Times, middle
from app.sre.detection.settings import Detector

# What a measure's highest of a usual day is taken for at least, and until days are known.
LEAST = {JUMP: 3.0, JUMP_RATIO: 3.0, SHIFT: 2.0, DRIFT: 2.0, ROUGH: 2.0, FLAT: 8.0}
NOVEL_TIER = 10.0


@dataclass(frozen=True, slots=True)
class Scores:
    """For each point its score, how sharp it is (the part that fades at once), the measure it comes from."""

    total: Floats
    sharp: Floats
    channels: Times
    usual: Floats


def weigh(record: Any, strengths: Floats, detector: Detector) -> Scores:
    """Score points of one day by the days before it; remembers the day's highest of each measure."""
    usual = _usual(record)
    record["day_top"] = np.maximum(record["day_top"], strengths.max(axis=1))
    relative = strengths / usual[:, None]
    sharp = (relative[JUMP] + relative[JUMP_RATIO]) / 2
    rest = relative[[SHIFT, DRIFT, ROUGH, FLAT]]
    channels = np.where(sharp >= rest.max(axis=0), JUMP, np.array([SHIFT, DRIFT, ROUGH, FLAT])[rest.argmax(axis=0)])
    total = np.maximum(sharp, rest.max(axis=0))
    is_novel = (strengths[NOVEL] >= detector.novel_width) & (total >= detector.alert_score)
    total = np.where(is_novel, NOVEL_TIER + total, total)
    if int(record["days_kept"]) < detector.learning_days:
        total, sharp = np.zeros_like(total), np.zeros_like(sharp)
    return Scores(total, sharp, np.where(is_novel, NOVEL, channels), usual)


def _usual(record: Any) -> Floats:
    """Return what each measure reaches on a usual day, infinite for those that are not weighed."""
    tops = record["tops"][: int(record["days_kept"])].astype(np.float64)
    least = np.array([LEAST.get(channel, np.inf) for channel in range(record["tops"].shape[1])])
    if not len(tops):
        return least
    usual = np.nan_to_num(middle(tops))
    usual[FLAT] = np.nan_to_num(tops[:, FLAT]).max()
    return np.maximum(usual, least)
