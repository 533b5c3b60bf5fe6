"""How far each value strays, by several measures: each a number per point that is high when something is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.sre.detection.profile import Floats, Profile, Times, hours
from app.sre.detection.settings import DAY, HOUR, MINUTE, Detector
from app.sre.detection.state import CHANNELS

JUMP, JUMP_RATIO, SHIFT, DRIFT, ROUGH, FLAT, NOVEL, CALM = range(8)
MOST = 1000.0
WILD = 8.0
UNEVEN = 3.0
MOST_CALM = 20.0
DAYLONG = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Evidence:
    """The measures of consecutive points of one day: `strengths[channel, point]`, and what was expected."""

    strengths: Floats
    expected: Floats
    deviation: Floats
    flat_since: Times


def gather(record: Any, profile: Profile, times: Times, values: Floats, detector: Detector) -> Evidence:
    """Weigh points of one day against its profile and against the points before them, which the record carries."""
    step, hour = float(record["step"]), hours(times)
    low, centre, high = profile.around(times, step)
    within = np.clip(values, low, high)
    parts, near = _stray(record, profile, values, within, _rate(detector.local, step, least=4))
    # Spreads are those around the middle: what the tolerance for time forgives is noise all the same.
    forgiven = np.stack([within - centre, profile.ratio(within) - profile.ratio(centre)]).repeat(2, axis=0)
    changes = np.diff(values, prepend=record["last_value"])
    _remember(record, np.vstack([parts + forgiven, changes]), hour)
    scaled = parts / profile.deviations[:4, hour]
    strengths = np.zeros((CHANNELS, len(values)))
    strengths[JUMP] = both(scaled[0], scaled[1])
    strengths[JUMP_RATIO] = both(scaled[2], scaled[3])
    strengths[SHIFT:FLAT] = _lasting(record["levels"], scaled, step)
    strengths[CALM] = calm(record["levels"], changes, profile.deviations[4, hour], step)
    strengths[FLAT], since = flat(record, times, values)
    strengths[NOVEL] = novelty(record, values)
    return Evidence(np.minimum(strengths, MOST), centre + near, profile.deviations[1, hour], since)


def _stray(record: Any, profile: Profile, values: Floats, expected: Floats, rate: float) -> tuple[Floats, Floats]:
    """Return how far values stray from what is expected and from the level of the last hours, also as ratios."""
    off = values - expected
    ratio = profile.ratio(values) - profile.ratio(expected)
    levels = record["levels"]
    if not np.isfinite(record["highest"]):
        levels[:2] = off[0], ratio[0]
    near, levels[0] = trace(off, levels[0], rate, 4 * float(profile.deviations[1].mean()))
    near_ratio, levels[1] = trace(ratio, levels[1], rate, 4 * float(profile.deviations[3].mean()))
    return np.stack([off, off - near, ratio, ratio - near_ratio]), near


def _lasting(levels: Any, scaled: Floats, step: float) -> Floats:
    """Return what shows only over many points: a shift, a drift, an unrest. One wild value is none of them."""
    size = np.clip(scaled[0], -WILD, WILD)
    slow, levels[2] = trace(size, levels[2], _rate(DAYLONG, step, least=24), 3.0)
    above = np.clip(size - slow, -WILD, WILD)
    shift, levels[3] = smooth(above, levels[3], _rate(30 * MINUTE, step, least=1.5))
    drift, levels[4] = smooth(above, levels[4], _rate(2 * HOUR, step, least=3))
    unrest = np.minimum(np.abs(scaled[1]), WILD)
    rough, levels[5] = smooth(unrest, levels[5], _rate(30 * MINUTE, step, least=4))
    return np.stack([np.abs(shift), np.abs(drift), rough])


def calm(levels: Any, changes: Floats, usual: Floats, step: float) -> Floats:
    """Return how many times smaller changes from point to point are than is usual, on the average of half an hour."""
    known = np.isfinite(usual) & (usual > 0)
    size = np.where(known, np.minimum(np.abs(changes) / np.where(known, usual, 1.0), WILD), 1.0)
    above, levels[6] = smooth(size - 1, levels[6], _rate(30 * MINUTE, step, least=8))
    return np.where(known, 1 / np.maximum(1 + above, 1 / MOST_CALM), 0.0)


def both(one: Floats, other: Floats) -> Floats:
    """Return the geometric mean of two deviations of the same sign: both must be unusual.

    Neither counts as more than `UNEVEN` times the other, or noise on a level that changed for good would be an anomaly.
    """
    least = np.minimum(np.abs(one), np.abs(other))
    most = np.minimum(np.maximum(np.abs(one), np.abs(other)), UNEVEN * least)
    return np.where(one * other > 0, np.sqrt(least * most), 0.0)


def trace(values: Floats, level: float, rate: float, limit: float) -> tuple[Floats, float]:
    """Return the level before each value and at the end; a value moves it by at most `limit`·`rate`."""
    level = float(level)
    before = []
    for value in values.tolist():
        before.append(level)
        gap = value - level
        level += rate * (limit if gap > limit else max(gap, -limit))
    return np.array(before), level


def smooth(values: Floats, level: float, rate: float) -> tuple[Floats, float]:
    """Return the level after each value and at the end."""
    level = float(level)
    after = []
    for value in values.tolist():
        level += rate * (value - level)
        after.append(level)
    return np.array(after), level


def flat(record: Any, times: Times, values: Floats) -> tuple[Floats, Times]:
    """Return how many values in a row were the same, up to half a day of them, and since when."""
    most = int(DAY / 2 / float(record["step"]))
    run, since, last = int(record["run"]), int(record["run_since"]), float(record["last_value"])
    runs, begins = [], []
    for moment, value in zip(times.tolist(), values.tolist(), strict=True):
        if value == last:
            run = min(run + 1, most)
        else:
            run, since, last = 0, moment, value
        runs.append(run)
        begins.append(since)
    record["run"], record["run_since"], record["last_value"] = run, since, last
    return np.array(runs, dtype=np.float64), np.array(begins, dtype=np.int64)


def novelty(record: Any, values: Floats) -> Floats:
    """Return how far values lie outside of all before them, in widths of what was seen."""
    highs = np.maximum.accumulate(np.concatenate(([record["highest"]], values)))
    lows = np.minimum.accumulate(np.concatenate(([record["lowest"]], values)))
    record["highest"], record["lowest"] = highs[-1], lows[-1]
    if not np.isfinite(highs[0]):
        highs[0], lows[0] = values[0], values[0]
    outside = np.maximum(values - highs[:-1], lows[:-1] - values)
    return np.maximum(outside, 0) / np.maximum(highs[:-1] - lows[:-1], 1e-12 + 1e-3 * np.abs(values))


def _rate(memory: float, step: float, *, least: float) -> float:
    return 1 - math.exp(-step / max(memory, least * step))


def _remember(record: Any, parts: Floats, hour: Times) -> None:
    """Add to the sums of the day from which its hours' spreads are made."""
    np.add.at(record["spread_count"], hour, 1)
    for total, part in zip(record["spread_sum"], parts, strict=True):
        np.add.at(total, hour, np.sqrt(np.abs(part)))
