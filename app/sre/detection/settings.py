"""The settings of the detector: one set for every series, whatever it measures."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60
HOUR = 3600
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Detector:
    """What the detector decides by; durations in seconds, scores in multiples of what was usual for the series."""

    learning_days: int = 2
    """So many days are learned from before a point can score above 0."""
    local: float = 4 * HOUR
    """The memory of the local level that a value is compared with, beside its time of day."""
    alert_score: float = 2.0
    """An anomaly opens at this score, and goes on while scores stay above `lasting_share` of it."""
    lasting_share: float = 0.6
    quiet: int = 3600
    """An anomaly ends once scores have been low for so long (and for three steps of the series)."""
    critical_score: float = 6.0
    novel_score: float = 1.5
    novel_width: float = 0.01
    """So far outside of all values seen before, in widths of their range, this lower score is an anomaly, too."""
    novel_lift: float = 5.0
    """So many times its widths outside of that range a score is raised, up to twice itself."""


DEFAULT = Detector()
