"""Says in a sentence, with its figures, why something is an anomaly."""

from __future__ import annotations

from typing import Any

from app.sre.detection.evidence import CALM, DRIFT, FLAT, ROUGH, SHIFT


def explain(anomaly: Any, step: float) -> str:
    """Return what was seen, what is usual, and how unusual that is for the series; `step` is its seconds."""
    peak = float(anomaly["peak"])
    strength, usual = float(anomaly["strength"]), float(anomaly["usual"])
    band = f"{float(anomaly['low']):.4g} to {float(anomaly['high']):.4g}"
    side = "above" if peak > (float(anomaly["low"]) + float(anomaly["high"])) / 2 else "below"
    channel = int(anomaly["channel"])
    if channel == FLAT:
        return (
            f"The value has been {peak:.6g} without any change for {_lasting(strength * step)}, "
            f"where {_lasting(usual * step)} is the longest of other days."
        )
    if channel in (SHIFT, DRIFT):
        span = "half an hour" if channel == SHIFT else "two hours"
        return (
            f"Values have been {side} what is usual at this time of day by {strength:.1f} deviations on the average of "
            f"{span}, where {usual:.1f} is reached on usual days; {peak:.6g} at the peak, {band} expected."
        )
    if channel == CALM:
        return (
            f"Values change from point to point {strength:.1f} times less than is usual at this time of day on the "
            f"average of half an hour, where {usual:.1f} is reached on usual days; {peak:.6g} lately, {band} expected."
        )
    if channel == ROUGH:
        return (
            f"Values swing by {strength:.1f} deviations on the average of half an hour, where {usual:.1f} is reached "
            f"on usual days; {peak:.6g} at the peak, {band} expected."
        )
    beyond = ", and outside of everything seen before" if anomaly["is_novel"] else ""
    return (
        f"{peak:.6g} where {band} is expected at this time of day{beyond}: {strength:.1f} deviations off, "
        f"where {usual:.1f} is reached on usual days."
    )


def _lasting(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
