"""Makes anomalies of scores: one opens at the first high score and ends once scores have been low for a while."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.sre.detection.evidence import FLAT, Evidence
from app.sre.detection.profile import Floats, Times
from app.sre.detection.reasons import explain
from app.sre.detection.scoring import Scores
from app.sre.detection.settings import Detector
from app.sre.detection.verdicts import Anomaly, Band, Severity


class Episodes:
    """The anomalies of one call; the one that is open is carried in the record."""

    def __init__(self, record: Any, detector: Detector) -> None:
        self._record = record
        self._open = record["open"]
        self._detector = detector
        self._ended: list[Anomaly] = []
        self._touched = False

    def follow(self, times: Times, values: Floats, scores: Scores, evidence: Evidence) -> None:
        """Open, continue and end anomalies by the scores of consecutive points of one day."""
        least = self._detector.alert_score
        quiet = max(self._detector.quiet, 3 * float(self._record["step"]))
        for at in np.flatnonzero(scores.total >= least * self._detector.lasting_share).tolist():
            moment, is_sharp = int(times[at]), scores.sharp[at] >= least
            if self._is_over(moment, quiet) or (is_sharp and self._was_blunt(moment, quiet)):
                self._end()
            if self._record["is_open"] or scores.total[at] >= least:
                self._extend(at, moment, values, scores, evidence)
            if is_sharp:
                self._open["sharp_at"] = moment
        if self._is_over(int(times[-1]), quiet):
            self._end()

    def told(self) -> tuple[Anomaly, ...]:
        """Return what opened, went on or ended."""
        if self._touched and self._record["is_open"]:
            return (*self._ended, self._anomaly(is_open=True))
        return tuple(self._ended)

    def _is_over(self, moment: int, quiet: float) -> bool:
        return bool(self._record["is_open"]) and moment - int(self._open["end"]) > quiet

    def _was_blunt(self, moment: int, quiet: float) -> bool:
        """Tell whether what is open has only been fading: a new jump is then a new anomaly."""
        return (
            bool(self._record["is_open"])
            and moment - max(int(self._open["sharp_at"]), int(self._open["detected_at"])) > quiet
        )

    def _extend(self, at: int, moment: int, values: Floats, scores: Scores, evidence: Evidence) -> None:
        now = self._open
        if not self._record["is_open"]:
            began = int(evidence.flat_since[at]) if scores.channels[at] == FLAT else moment
            now["start"] = max(began, int(now["end"]) + 1)
            now["detected_at"], now["score"] = moment, -1.0
            self._record["is_open"] = 1
        now["end"] = moment
        self._touched = True
        if scores.total[at] > now["score"]:
            channel, reach = int(scores.channels[at]), 3 * float(evidence.deviation[at])
            now["score"], now["peak"], now["channel"] = scores.total[at], values[at], channel
            now["low"], now["high"] = evidence.expected[at] - reach, evidence.expected[at] + reach
            now["strength"], now["usual"] = evidence.strengths[channel, at], scores.usual[channel]
            now["is_novel"] = scores.is_novel[at]

    def _end(self) -> None:
        self._ended.append(self._anomaly(is_open=False))
        self._record["is_open"] = 0

    def _anomaly(self, *, is_open: bool) -> Anomaly:
        score = float(self._open["score"])
        is_critical = score >= self._detector.critical_score
        return Anomaly(
            start=int(self._open["start"]),
            end=int(self._open["end"]),
            detected_at=int(self._open["detected_at"]),
            peak=float(self._open["peak"]),
            score=score,
            severity=Severity.CRITICAL if is_critical else Severity.WARNING,
            expected=Band(float(self._open["low"]), float(self._open["high"])),
            reason=explain(self._open, float(self._record["step"])),
            is_open=is_open,
        )
