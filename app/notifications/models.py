"""Notifications: what is to reach whom, each attempt, and every reason why somebody got nothing.

notification  scheduled ──▶ pending ──▶ processing ──▶ sent | partial | failed · processing ──▶ retrying ──▶ processing
              scheduled, pending, retrying ──▶ cancelled · failed, partial, cancelled ──▶ pending (a retry)
recipient     pending ──▶ sending ──▶ sent | retrying | failed · pending ──▶ suppressed | cancelled
              sent ──▶ delivered | bounced | complained
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals
from app.notifications.errors import IllegalMove

EMAIL: Final = "email"
TYPES: Final = (EMAIL,)

SCHEDULED: Final = "scheduled"
PENDING: Final = "pending"
PROCESSING: Final = "processing"
RETRYING: Final = "retrying"
SENT: Final = "sent"
PARTIAL: Final = "partial"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
STATUSES: Final = (SCHEDULED, PENDING, PROCESSING, RETRYING, SENT, PARTIAL, FAILED, CANCELLED)
ENDED: Final = (SENT, PARTIAL, FAILED, CANCELLED)

SENDING: Final = "sending"
DELIVERED: Final = "delivered"
BOUNCED: Final = "bounced"
COMPLAINED: Final = "complained"
SUPPRESSED: Final = "suppressed"
RECIPIENT_STATUSES: Final = (
    *(PENDING, SENDING, RETRYING, SENT, DELIVERED, BOUNCED, COMPLAINED, FAILED, SUPPRESSED, CANCELLED),
)
WAITING: Final = (PENDING, SENDING, RETRYING)
REACHED: Final = (SENT, DELIVERED)

LOW: Final = "low"
NORMAL: Final = "normal"
HIGH: Final = "high"
URGENT: Final = "urgent"
PRIORITIES: Final = (LOW, NORMAL, HIGH, URGENT)

KINDS: Final = ("smtp",)
UNSUBSCRIBED: Final = "unsubscribed"
MANUAL: Final = "manual"
SUPPRESSION_REASONS: Final = (UNSUBSCRIBED, BOUNCED, COMPLAINED, MANUAL)

_MOVES: Final = {
    SCHEDULED: {PROCESSING, CANCELLED},
    PENDING: {PROCESSING, CANCELLED},
    PROCESSING: {RETRYING, SENT, PARTIAL, FAILED, CANCELLED},
    RETRYING: {PROCESSING, CANCELLED},
    SENT: set[str](),
    PARTIAL: {PENDING},
    FAILED: {PENDING},
    CANCELLED: {PENDING},
}
_OWNED: Final = "num_nonnulls(organization_id, client_id) = 1"


class Notification(Base):
    """What is to reach some recipients, frozen when it was asked for; `variables` fill the template."""

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint(_OWNED, name="owner"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"priority IN {PRIORITIES}", name="priority"),
        Index("ix_notifications_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_notifications_client_id_created_at", "client_id", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(server_default=EMAIL, default=EMAIL)
    status: Mapped[str] = mapped_column(server_default=PENDING, default=PENDING)
    priority: Mapped[str] = mapped_column(server_default=NORMAL, default=NORMAL)
    subject: Mapped[str]
    html: Mapped[str | None]
    text: Mapped[str | None]
    template_id: Mapped[UUID | None]
    variables: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    from_email: Mapped[str | None]
    from_name: Mapped[str | None]
    reply_to: Mapped[str | None]
    cc: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    bcc: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    meta: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    can_unsubscribe: Mapped[bool] = mapped_column(Boolean, server_default=text("false"), default=False)
    max_retry_attempts: Mapped[int] = mapped_column(Integer, server_default="3", default=3)
    scheduled_for: Mapped[datetime | None]
    job_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]

    def begin(self) -> None:
        """A worker sends it. One that was lost before its end is begun again."""
        if self.status != PROCESSING:
            self._move(PROCESSING)

    def wait(self) -> None:
        """Some recipients are tried again later."""
        self._move(RETRYING)

    def finish(self, status: str, moment: datetime) -> None:
        """All recipients have ended; `status` sums them up."""
        self._move(status)
        self.finished_at = moment

    def cancel(self, moment: datetime) -> None:
        """Whoever has not got it yet does not. Raises IllegalMove where it has ended."""
        self._move(CANCELLED)
        self.finished_at = moment

    def retry(self) -> None:
        """Those whom it did not reach are tried again. Raises IllegalMove where it has not ended, or reached all."""
        self._move(PENDING)
        self.finished_at = None

    def _move(self, status: str) -> None:
        if status not in _MOVES[self.status]:
            raise IllegalMove(f"A notification that is {self.status} cannot become {status}.", status=self.status)
        self.status = status


class Recipient(Base):
    """One address of a notification, and what became of it: `code` and `reason` say why it got nothing, or not yet."""

    __tablename__ = "notification_recipients"
    __table_args__ = (
        CheckConstraint(f"status IN {RECIPIENT_STATUSES}", name="status"),
        UniqueConstraint("notification_id", "address"),
        Index("ix_notification_recipients_waiting", "notification_id", "next_attempt_at", postgresql_where=text(
            "status IN ('pending', 'sending', 'retrying')"
        )),
        Index("ix_notification_recipients_address", "address", "notification_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    address: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=PENDING, default=PENDING)
    code: Mapped[str | None]
    reason: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    tries: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    next_attempt_at: Mapped[datetime | None]
    provider: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    sent_at: Mapped[datetime | None]


class SendAttempt(Base):
    """One try to reach a recipient by one provider: written before the call, its outcome after. `unknown` is one whose
    worker was lost in between: the recipient may have got it."""

    __tablename__ = "notification_attempts"

    recipient_id: Mapped[UUID] = mapped_column(
        ForeignKey("notification_recipients.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    provider: Mapped[str]
    begun_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    milliseconds: Mapped[float | None]
    outcome: Mapped[str | None]
    code: Mapped[str | None]
    response: Mapped[str | None]


class EmailProvider(Base):
    """A way out for mails. `credentials` are encrypted and not loaded with the row; `open_until` is until when it is left
    alone because it failed again and again."""

    __tablename__ = "email_providers"
    __table_args__ = (
        CheckConstraint(_OWNED, name="owner"),
        CheckConstraint(f"kind IN ('{KINDS[0]}')", name="kind"),
        UniqueConstraint("organization_id", "name"),
        UniqueConstraint("client_id", "name"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    config: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    credentials: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    default_from_email: Mapped[str]
    default_from_name: Mapped[str | None]
    is_primary: Mapped[bool] = mapped_column(Boolean, server_default=true(), default=True)
    is_bulk: Mapped[bool] = mapped_column(Boolean, server_default=true(), default=True)
    weight: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
    rate_limit_per_second: Mapped[int] = mapped_column(Integer, server_default="10", default=10)
    failures: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    open_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Template(Base):
    """A subject and a body with variables, in Jinja's language without its ways out."""

    __tablename__ = "notification_templates"
    __table_args__ = (
        CheckConstraint(_OWNED, name="owner"),
        UniqueConstraint("organization_id", "name"),
        UniqueConstraint("client_id", "name"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    subject: Mapped[str]
    html: Mapped[str | None]
    text: Mapped[str | None]
    variables: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


class Suppression(Base):
    """An address that an owner's notifications do not go to, and why."""

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint(_OWNED, name="owner"),
        CheckConstraint(f"reason IN {SUPPRESSION_REASONS}", name="reason"),
        UniqueConstraint("organization_id", "address"),
        UniqueConstraint("client_id", "address"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    address: Mapped[str]
    reason: Mapped[str]
    notification_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def vault_context(provider_id: UUID) -> str:
    """Return what a provider's credentials are bound to."""
    return f"email_provider:{provider_id}"


audited(Notification, "notification", ("status", "priority", "scheduled_for"), hidden=("variables", "html", "text"))
audited(
    EmailProvider,
    "email_provider",
    ("name", "kind", "config", "default_from_email", "is_primary", "is_bulk", "weight", "rate_limit_per_second"),
    hidden=("credentials",),
)
audited(Template, "template", ("name", "subject", "variables"), hidden=("html", "text"))
audited(Suppression, "suppression", ("address", "reason"))
seals(EmailProvider, "credentials", lambda row: vault_context(row.id))
