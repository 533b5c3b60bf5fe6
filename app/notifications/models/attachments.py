"""Files that mails carry. The bytes are in the artifact store; the rows say whose they are."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.notifications.models.states import OWNED


class MailAttachment(Base):
    """A file that was brought for mails, under an id of its bringer's choice. Without a `sha256` its bytes are still on
    their way. It outlives its owner for a while, so that the bytes are not forgotten in the store."""

    __tablename__ = "mail_attachments"
    __table_args__ = (
        CheckConstraint(OWNED, name="owner"),
        Index("ix_mail_attachments_organization_id", "organization_id", "size"),
        Index("ix_mail_attachments_client_id", "client_id", "size"),
        Index("ix_mail_attachments_created_at", "created_at"),
    )
    __mapper_args__ = {"eager_defaults": True}
    noun: ClassVar[str] = "attachment"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID | None]
    client_id: Mapped[UUID | None]
    filename: Mapped[str]
    content_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def key(self) -> str:
        """Where the store has it."""
        return f"mail-attachments/{self.id}"


class Enclosure(Base):
    """That a notification carries a file, which is kept as long as one does."""

    __tablename__ = "notification_enclosures"
    __table_args__ = (Index("ix_notification_enclosures_attachment_id", "attachment_id"),)

    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"), primary_key=True)
    attachment_id: Mapped[UUID] = mapped_column(ForeignKey("mail_attachments.id"), primary_key=True)
    position: Mapped[int]


audited(MailAttachment, "attachment", ("filename", "content_type", "size"))
