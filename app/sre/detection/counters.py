"""Counters only ever rise, and begin anew at a restart: of them the increase from point to point is judged."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sre.detection.profile import Floats
from app.sre.detection.state import forget

LEAST_RISES = 20
# A fall to less than this share is a restart, and of so many rises at most one may be.
RESTART = 0.1
RISES_PER_RESTART = 50


def count(record: Any, values: Floats) -> None:
    """Add to what the open day says of whether the series is a counter."""
    before = np.concatenate(([record["counted"]], values[:-1]))
    falls = values < before
    record["rises"] += int((values > before).sum())
    record["falls"] += int(falls.sum())
    record["resets"] += int((falls & (values >= 0) & (values <= RESTART * before)).sum())
    record["counted"] = values[-1]


def increases(record: Any, values: Floats) -> Floats:
    """Return how much the counter rose to each value; after a restart it rose from zero."""
    before = np.concatenate(([record["counted"]], values[:-1]))
    risen = np.where(values >= before, values - before, values)
    return np.where(np.isnan(before), 0.0, risen)


def decide(record: Any) -> None:
    """At a day's end, say whether the series is a counter; where that changes, what was learned is void."""
    rises, falls, resets = int(record["rises"]), int(record["falls"]), int(record["resets"])
    record["rises"] = record["falls"] = record["resets"] = 0
    if rises + falls < LEAST_RISES:
        return
    is_counter = falls == resets and falls * RISES_PER_RESTART <= rises
    if is_counter != bool(record["is_counter"]):
        forget(record)
        record["is_counter"] = is_counter
