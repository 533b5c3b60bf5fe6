"""What is heard of notifications after they were handed over: by providers of mail, and by receivers of webhooks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.ids import new_id
from app.notifications.models.states import REPORTS


class Report(Base):
    """One thing that was said of a recipient's mail; by `key` what is said twice is kept once."""

    __tablename__ = "notification_reports"
    __table_args__ = (CheckConstraint(f"kind IN {REPORTS}", name="kind"),)

    recipient_id: Mapped[UUID] = mapped_column(
        ForeignKey("notification_recipients.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    provider: Mapped[str]
    address: Mapped[str]
    reason: Mapped[str | None]
    url: Mapped[str | None]
    happened_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Callback(Base):
    """A request of a provider, so that its `token` counts once. It has a `body` as long as somebody still has to look
    whether it is signed."""

    __tablename__ = "notification_callbacks"
    __table_args__ = (
        UniqueConstraint("provider_id", "token"),
        Index("ix_notification_callbacks_received_at", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("email_providers.id", ondelete="CASCADE"))
    token: Mapped[str]
    body: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SigningCertificate(Base):
    """A certificate by which Amazon SNS signs, as it was fetched from where Amazon keeps them."""

    __tablename__ = "sns_certificates"

    url: Mapped[str] = mapped_column(primary_key=True)
    pem: Mapped[str]
    fetched_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
