"""What monitoring asks of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent, LostLease


@dataclass(frozen=True, slots=True)
class FoldSamples(Intent):
    """Put what single writes have brought into chunks and roll-ups."""

    kind: ClassVar[str] = "monitoring.fold"
    queue: ClassVar[str] = "monitoring"
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class KeepMetrics(Intent):
    """Make room for the weeks to come, and forget what is old."""

    kind: ClassVar[str] = "monitoring.keep"
    queue: ClassVar[str] = "monitoring"
    priority: ClassVar[int] = 7


@dataclass(frozen=True, slots=True)
class WatchRules(Intent):
    """Look at all alert rules that are due, and tell what is to be told, for about a minute."""

    kind: ClassVar[str] = "monitoring.watch"
    queue: ClassVar[str] = "monitoring"
    priority: ClassVar[int] = 3
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class TryRule(Intent):
    """Try a rule on stored history."""

    kind: ClassVar[str] = "monitoring.try_rule"
    queue: ClassVar[str] = "scans"
    max_attempts: ClassVar[int] = 1
    on_lost_lease: ClassVar[LostLease] = "hold"
    cancel_seconds: ClassVar[float] = 5.0

    trial_id: UUID


@dataclass(frozen=True, slots=True)
class PullMetrics(Intent):
    """Pull from all sources that are due."""

    kind: ClassVar[str] = "monitoring.pull"
    queue: ClassVar[str] = "default"
    max_attempts: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class CollectMetrics(Intent):
    """Pull from the sources of an organization, a workspace or a cluster now, because somebody asks."""

    kind: ClassVar[str] = "monitoring.collect"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 3

    organization_id: UUID
    place_id: UUID
