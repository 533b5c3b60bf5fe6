"""Thousands of listeners of one topic: how late they hear, and what each of them costs the stream process."""

from __future__ import annotations

from bench.findings import Finding, Goal
from bench.ground import Ground
from bench.streams import KINDS, allow_files, measure_streams

# Milliseconds within which 99 of 100 events are to be heard, by the number of listeners.
GOALS = {1000: 80, 5000: 300}
NAMES = {"sse": "by server-sent events", "websocket": "by WebSocket"}


def measure(ground: Ground) -> list[Finding]:
    """Listen, tell, and look at the stream process."""
    allow_files()
    findings = []
    for kind in KINDS:
        for listeners, bound in GOALS.items():
            findings += _measure(ground, kind, listeners, bound)
    return findings


def _measure(ground: Ground, kind: str, listeners: int, bound: int) -> list[Finding]:
    found = measure_streams(ground, kind, listeners)
    return [
        Finding(f"{listeners:,} {NAMES[kind]}: an event heard after, p50", found.delay(0.5), "ms"),
        Finding("the same, p99", found.delay(0.99), "ms", goal=Goal(bound, "figure")),
        Finding("memory a listener", found.kilobytes, "kB", goal=Goal(20, "figure")),
        Finding("CPU an event and listener", found.microseconds, "µs", "bare send", found.bare_microseconds),
    ]
