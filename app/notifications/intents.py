"""What notifications ask of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class SendNotification(Intent):
    """Send a notification to all of its recipients; one job however many they are."""

    kind: ClassVar[str] = "notifications.send"
    queue: ClassVar[str] = "default"

    notification_id: UUID


@dataclass(frozen=True, slots=True)
class ValidateProviders(Intent):
    """Connect to the email providers of an owner, and log in."""

    kind: ClassVar[str] = "notifications.validate_providers"
    queue: ClassVar[str] = "interactive"
    priority: ClassVar[int] = 3
    max_attempts: ClassVar[int] = 1

    provider_ids: str


@dataclass(frozen=True, slots=True)
class SettleCallback(Intent):
    """Fetch the certificate by which a request of a provider is checked, and apply what it says."""

    kind: ClassVar[str] = "notifications.settle_callback"
    queue: ClassVar[str] = "default"

    callback_id: UUID


@dataclass(frozen=True, slots=True)
class PruneNotifications(Intent):
    """Forget notifications that ended long ago."""

    kind: ClassVar[str] = "notifications.prune"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8
