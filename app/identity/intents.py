"""What identity asks of workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.intents import Intent


@dataclass(frozen=True, slots=True)
class PruneIdentity(Intent):
    """Delete the logins that ended long ago and what else of identity was kept long enough; retire signing keys."""

    kind: ClassVar[str] = "identity.prune"
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 8


@dataclass(frozen=True, slots=True)
class SendMail(Intent):
    """Write and send a mail that was asked for."""

    kind: ClassVar[str] = "identity.send_mail"
    queue: ClassVar[str] = "interactive"
    max_attempts: ClassVar[int] = 8

    mail_id: UUID
