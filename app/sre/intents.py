"""What SRE asks of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent, LostLease


@dataclass(frozen=True, slots=True)
class RunScan(Intent):
    """Judge the series of a scan."""

    kind: ClassVar[str] = "sre.scan"
    queue: ClassVar[str] = "scans"
    on_lost_lease: ClassVar[LostLease] = "hold"
    # The longest a single series takes.
    cancel_seconds: ClassVar[float] = 5.0

    scan_id: UUID


@dataclass(frozen=True, slots=True)
class RunScanSchedules(Intent):
    """Ask for the scans that are due."""

    kind: ClassVar[str] = "sre.run_schedules"
    queue: ClassVar[str] = "monitoring"
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class KeepScans(Intent):
    """Make room for the weeks to come, and forget what old scans have judged."""

    kind: ClassVar[str] = "sre.keep"
    queue: ClassVar[str] = "monitoring"
    priority: ClassVar[int] = 7


@dataclass(frozen=True, slots=True)
class LookForProblems(Intent):
    """Look at what clusters, alerts and anomalies tell, and keep problems of it."""

    kind: ClassVar[str] = "sre.look_for_problems"
    queue: ClassVar[str] = "monitoring"
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class RecommendEverywhere(Intent):
    """Ask for the recommendations of every cluster that is connected."""

    kind: ClassVar[str] = "sre.recommend_everywhere"
    queue: ClassVar[str] = "monitoring"
    priority: ClassVar[int] = 7
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Recommend(Intent):
    """Find what should be done about a cluster and what runs on it."""

    kind: ClassVar[str] = "sre.recommend"
    queue: ClassVar[str] = "scans"
    on_lost_lease: ClassVar[LostLease] = "hold"
    cancel_seconds: ClassVar[float] = 5.0

    cluster_id: UUID


@dataclass(frozen=True, slots=True)
class ApplyRecommendation(Intent):
    """Make the change that a recommendation is about, or try it."""

    kind: ClassVar[str] = "sre.apply"
    queue: ClassVar[str] = "clusters"
    priority: ClassVar[int] = 3

    apply_id: UUID


@dataclass(frozen=True, slots=True)
class MeasureEffect(Intent):
    """See what came of a recommendation that was applied."""

    kind: ClassVar[str] = "sre.measure"
    queue: ClassVar[str] = "scans"
    on_lost_lease: ClassVar[LostLease] = "hold"
    cancel_seconds: ClassVar[float] = 5.0

    apply_id: UUID
