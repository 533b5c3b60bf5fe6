"""What is left of notifications that were forgotten: numbers."""

from __future__ import annotations

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.ids import new_id
from app.notifications.models.states import OWNED

GROUPED: Final = ("day", "channel", "of_recipients", "template_id", "provider", "status", "code", "is_fallback")


class NotificationTotal(Base):
    """How many notifications, or recipients of them, of a day have ended in the same way."""

    __tablename__ = "notification_totals"
    __table_args__ = (
        CheckConstraint(OWNED, name="owner"),
        UniqueConstraint(
            "organization_id", "client_id", *GROUPED, name="uq_notification_totals", postgresql_nulls_not_distinct=True
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    day: Mapped[date]
    channel: Mapped[str]
    of_recipients: Mapped[bool] = mapped_column(Boolean)
    template_id: Mapped[UUID | None]
    provider: Mapped[str | None]
    status: Mapped[str]
    code: Mapped[str | None]
    is_fallback: Mapped[bool] = mapped_column(Boolean)
    count: Mapped[int] = mapped_column(BigInteger)
