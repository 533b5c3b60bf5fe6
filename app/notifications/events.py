"""What notifications announce."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.kernel.events import Announcement


@dataclass(frozen=True, slots=True)
class _OfNotification(Announcement):
    organization_id: UUID | None
    client_id: UUID | None
    notification_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the organization's."""
        return () if self.organization_id is None else (f"organization:{self.organization_id}",)


@dataclass(frozen=True, slots=True)
class NotificationSent(_OfNotification):
    """All recipients of a notification have ended, and some were reached; `status` is `sent` or `partial`."""

    type: ClassVar[str] = "notification.sent"

    status: str
    recipients: int
    reached: int


@dataclass(frozen=True, slots=True)
class NotificationFailed(_OfNotification):
    """A notification has reached nobody; `code` tells why the first of them got nothing."""

    type: ClassVar[str] = "notification.failed"

    recipients: int
    code: str | None


@dataclass(frozen=True, slots=True)
class NotificationDelivered(_OfNotification):
    """A notification has arrived at one of its recipients: their mail server, or a webhook's receiver, has taken it."""

    type: ClassVar[str] = "notification.delivered"

    recipient_id: UUID
    address: str
    provider: str | None


@dataclass(frozen=True, slots=True)
class NotificationBounced(_OfNotification):
    """A notification was handed over for one of its recipients, and came back: their mail server, or a webhook's
    receiver, does not take it."""

    type: ClassVar[str] = "notification.bounced"

    recipient_id: UUID
    address: str
    provider: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NotificationMessage(_OfNotification):
    """A notification for webhooks. It goes to those that it names, or, where it names none, to those that are told of
    this type of event."""

    type: ClassVar[str] = "notification.message"

    recipient_id: UUID
    title: str | None
    content: str | None
    text: str | None
    priority: str
    meta: dict[str, Any]
