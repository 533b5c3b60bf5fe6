"""What jobs themselves ask of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class MoveJobs(Intent):
    """Retry or cancel many jobs; which ones and how far it is stands in the row that belongs to its job."""

    kind: ClassVar[str] = "jobs.bulk"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8
    max_attempts: ClassVar[int] = 10


@dataclass(frozen=True, slots=True)
class PruneHistory(Intent):
    """Delete the jobs that ended longer ago than the settings keep them."""

    kind: ClassVar[str] = "jobs.prune_history"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8
