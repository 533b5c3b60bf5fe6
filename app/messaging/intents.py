"""What messaging asks of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class SweepRooms(Intent):
    """Put the rooms to sleep in which nothing was said for long."""

    kind: ClassVar[str] = "messaging.sweep_rooms"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class PruneMessages(Intent):
    """Delete the messages that are older than their application keeps them."""

    kind: ClassVar[str] = "messaging.prune"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8
