"""What webhooks announce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.kernel.events import Announcement


@dataclass(frozen=True, slots=True)
class WebhookDisabled(Announcement):
    """The platform has turned a webhook off: its receiver said that it is gone, or took nothing for days."""

    type: ClassVar[str] = "webhook.disabled"

    organization_id: UUID | None
    client_id: UUID | None
    webhook_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class WebhookDigest(Announcement):
    """What there was for an ordered webhook in a day, so that its receiver can tell whether anything is missing. Each
    of `subjects` has `subject`, `first_sequence`, `last_sequence`, `count` and `sha256`, the hash of its events' ids in
    order, joined by line breaks. It is sent to that webhook alone."""

    type: ClassVar[str] = "webhook.digest"

    webhook_id: UUID
    period_start: str
    period_end: str
    page: int
    pages: int
    subjects: list[dict[str, Any]]
