"""Notifications: what is to reach whom, each attempt, and every reason why somebody got nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, false, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.notifications.errors import IllegalMove
from app.notifications.models.states import (
    BOUNCED,
    CANCELLED,
    COMPLAINED,
    DELIVERED,
    EMAIL,
    MOVES,
    NORMAL,
    OUTCOMES,
    OWNED,
    PENDING,
    PRIORITIES,
    PROCESSING,
    RECIPIENT_MOVES,
    RECIPIENT_STATUSES,
    RETRYING,
    SENT,
    STATUSES,
    TOLD,
)


class Notification(Base):
    """What is to reach some recipients, frozen when it was asked for; `variables` fill the template."""

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint(OWNED, name="owner"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"priority IN {PRIORITIES}", name="priority"),
        Index("ix_notifications_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_notifications_client_id_created_at", "client_id", "created_at", "id"),
        Index("ix_notifications_finished_at", "finished_at"),
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
    can_unsubscribe: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    max_retry_attempts: Mapped[int] = mapped_column(Integer, server_default="3", default=3)
    scheduled_for: Mapped[datetime | None]
    room_id: Mapped[UUID | None]
    email_fallback: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    fallback_used: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    recipient_count: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
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
        if status not in MOVES[self.status]:
            raise IllegalMove(f"A notification that is {self.status} cannot become {status}.", status=self.status)
        self.status = status


class Recipient(Base):
    """One address of a notification, and what became of it: `code` and `reason` say why it got nothing, or not yet. Of
    one within an application the address is the user's id, and `email` where a mail goes instead."""

    __tablename__ = "notification_recipients"
    __table_args__ = (
        CheckConstraint(f"status IN {RECIPIENT_STATUSES}", name="status"),
        UniqueConstraint("notification_id", "address"),
        Index(
            "ix_notification_recipients_waiting",
            "notification_id",
            "next_attempt_at",
            postgresql_where=text("status IN ('pending', 'sending', 'retrying')"),
        ),
        Index("ix_notification_recipients_address", text("lower(address)"), "notification_id"),
        Index(
            "ix_notification_recipients_provider_message_id",
            "provider_message_id",
            postgresql_where=text("provider_message_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    address: Mapped[str]
    user_id: Mapped[UUID | None]
    email: Mapped[str | None]
    is_fallback: Mapped[bool] = mapped_column(Boolean, server_default=false(), default=False)
    status: Mapped[str] = mapped_column(server_default=PENDING, default=PENDING)
    code: Mapped[str | None]
    reason: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    tries: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    next_attempt_at: Mapped[datetime | None]
    provider: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    bounced_at: Mapped[datetime | None]
    bounce_reason: Mapped[str | None]
    complained_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
    clicked_at: Mapped[datetime | None]

    @property
    def mail_address(self) -> str:
        """Where mails to it go."""
        return self.email or self.address

    def move(self, status: str, code: str | None = None, reason: str | None = None) -> None:
        """Become `status`, for a reason where it is no good one. Raises IllegalMove."""
        if status not in RECIPIENT_MOVES[self.status]:
            raise IllegalMove(f"A recipient that is {self.status} cannot become {status}.", status=self.status)
        self.status, self.code, self.reason = status, code, reason

    def settle(self) -> bool:
        """Become what is said of it, once it was handed over: a complaint counts more than a bounce, and that more than
        a delivery, whichever was heard first. Returns whether that changed anything."""
        best = DELIVERED if self.delivered_at else SENT
        best = COMPLAINED if self.complained_at else BOUNCED if self.bounced_at else best
        if self.status not in TOLD or self.status == best:
            return False
        self.move(best, *((BOUNCED.upper(), self.bounce_reason) if best == BOUNCED else ()))
        return True


class SendAttempt(Base):
    """One try to reach a recipient by one provider: written before the call, its outcome after. `unknown` is one whose
    worker was lost in between: the recipient may have got it."""

    __tablename__ = "notification_attempts"
    __table_args__ = (CheckConstraint(f"outcome IN {OUTCOMES}", name="outcome"),)

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


audited(Notification, "notification", ("status", "priority", "scheduled_for"), hidden=("variables", "html", "text"))
