"""What notifications announce."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
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
