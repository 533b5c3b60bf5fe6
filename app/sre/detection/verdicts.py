"""What the detector says: a band of what was expected, and anomalies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How far an anomaly is beyond what is usual."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Band:
    """The values that would have been nothing unusual, in the series' own unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One stretch of unusual values of one series.

    `start` and `detected_at` never change, and tell anomalies of a series apart; `end`, `peak` (the worst value),
    `score`, `severity`, `expected` and `reason` may while it `is_open`. All times are those of points that were judged.
    """

    start: int
    end: int
    detected_at: int
    peak: float
    score: float
    severity: Severity
    expected: Band
    reason: str
    is_open: bool
