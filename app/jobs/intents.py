"""What jobs themselves ask of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class PruneHistory(Intent):
    """Delete the jobs that ended longer ago than the settings keep them."""

    kind: ClassVar[str] = "jobs.prune_history"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8
