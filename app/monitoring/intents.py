"""What monitoring asks of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.kernel.intents import Intent


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
