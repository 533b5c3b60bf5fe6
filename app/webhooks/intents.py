"""What webhooks ask of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class SweepWebhooks(Intent):
    """Deliver all that is due, for a little more than a minute; one whose worker is lost goes on elsewhere."""

    kind: ClassVar[str] = "webhooks.sweep"
    queue: ClassVar[str] = "deliveries"
    priority: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class SendDelivery(Intent):
    """Try one delivery now, because somebody asks; a `test` is tried this once."""

    kind: ClassVar[str] = "webhooks.send"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 3

    delivery_id: UUID


@dataclass(frozen=True, slots=True)
class ReplayEvents(Intent):
    """Deliver the events of a time to an endpoint, as if they had just been announced."""

    kind: ClassVar[str] = "webhooks.replay"
    queue: ClassVar[str] = "default"

    webhook_id: UUID
    since: str
    until: str
    only_missing: bool


@dataclass(frozen=True, slots=True)
class MakeDigests(Intent):
    """Tell ordered endpoints what there was for them yesterday."""

    kind: ClassVar[str] = "webhooks.digest"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class PruneWebhooks(Intent):
    """Forget old deliveries."""

    kind: ClassVar[str] = "webhooks.prune"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8
