"""Queues and priorities, declared once. Every queue is read by a worker line of the Procfile (a test sees to it)."""

from __future__ import annotations

from typing import Final

INTERACTIVE: Final = "interactive"
DEFAULT: Final = "default"
CI: Final = "ci"
CLUSTERS: Final = "clusters"
CHECKS: Final = "checks"
MONITORING: Final = "monitoring"
SCANS: Final = "scans"
RUNNERS: Final = "runners"
DELIVERIES: Final = "deliveries"

QUEUES: Final = {
    INTERACTIVE: "short work somebody waits for",
    DEFAULT: "work without a queue of its own",
    CI: "pipeline stages: long, in a sandbox",
    CLUSTERS: "work with clusters, which may be slow",
    RUNNERS: "stages that wait for runners elsewhere; workers only look after the waiting",
    CHECKS: "looking after all clusters, all the time",
    MONITORING: "samples and rules, by the clock",
    SCANS: "series that are judged, which keeps a processor busy",
    DELIVERIES: "sending webhooks, all the time",
}
