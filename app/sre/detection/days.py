"""Opens and closes the days that a series' record remembers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from app.sre.detection.counters import decide
from app.sre.detection.profile import SLOT, Floats, Profile, Times, forecasts
from app.sre.detection.scoring import usual_top
from app.sre.detection.settings import DAY
from app.sre.detection.state import DAYS

# So many deviations apart, the levels that two days expect are two.
NEW_LEVEL = 3.0


def open_day(record: Any, day: int, first: int) -> None:
    """Begin a day with nothing counted."""
    record["day"], record["day_first"], record["day_count"] = day, first, 0
    if np.isfinite(record["highest"]):
        record["width"] = record["highest"] - record["lowest"]
    for name in ("slot_sum", "slot_count", "spread_sum", "spread_count", "hour_tops"):
        record[name] = 0


def settle(record: Any, profile: Profile) -> None:
    """Let levels begin anew where a day expects another level than the day before: they were distances from that."""
    if not profile.is_known:
        return
    told = float(np.median(profile.expected))
    if abs(told - float(record["told"])) > NEW_LEVEL * float(profile.deviations[0].mean()):
        record["levels"] = 0
    record["told"] = told


def count_slots(record: Any, times: Times, values: Floats) -> None:
    """Add points of the open day to its slots."""
    slots = times % DAY // SLOT
    np.add.at(record["slot_sum"], slots, values)
    np.add.at(record["slot_count"], slots, 1)
    record["day_count"] += len(times)
    record["last_time"] = times[-1]


def close_day(record: Any) -> None:
    """Remember the open day: the mean of each slot, the spread of each hour, what each measure reached."""
    count = int(record["day_count"])
    if count == 0:
        return
    if count > 1:
        record["step"] = min(max((int(record["last_time"]) - int(record["day_first"])) / (count - 1), 1.0), DAY)
    slots = _mean(record["slot_sum"], record["slot_count"])
    _compare(record, slots)
    _remember(record["profiles"], slots)
    spreads = _mean(record["spread_sum"], record["spread_count"]) ** 2
    if int(record["days_kept"]) == 0:
        # Without a day before there was nothing to stray from, and the levels were of the values themselves.
        spreads[[0, 2]] = np.nan
        record["levels"] = 0
    _remember(record["spreads"], spreads)
    _remember(record["tops"], usual_top(record) if int(record["days_kept"]) >= 1 else np.nan)
    _remember(record["day_numbers"], record["day"])
    record["days_kept"] = min(int(record["days_kept"]) + 1, DAYS)
    decide(record)


def _compare(record: Any, slots: Floats) -> None:
    """Keep how much better last weeks' same days told the day that ends than all days did."""
    if int(record["days_kept"]) == 0:
        return
    daily, weekly = forecasts(record)
    if weekly is not None:
        errors = [float(np.nanmean(np.abs(slots - told))) + 1e-12 for told in (daily, weekly)]
        record["week_gain"] += 0.4 * (math.log(errors[0] / errors[1]) - float(record["week_gain"]))


def _remember(rows: Any, newest: Any) -> None:
    rows[1:] = rows[:-1].copy()
    rows[0] = newest


def _mean(total: Floats, count: Any) -> Floats:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
