"""Files that messages carry. The bytes are in the artifact store; the rows say whose they are."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class Attachment(Base):
    """A file that was brought to a room, and the message that carries it, once one does. Its id is the client's choice,
    and known within its application alone. Without a `sha256` its bytes are still on their way. `uploaded_by` is a
    user, or the application itself. `upload_id` is the upload whose bytes count: each has bytes of its own, so that one
    that comes late changes nothing of a file that was sent.

    It outlives its message and its room for a while, so that the bytes are not forgotten in the store.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_kept", "client_id", "uploaded_by", "size"),
        Index("ix_attachments_unbound", "created_at", postgresql_where=text("message_id IS NULL")),
    )
    __mapper_args__ = {"eager_defaults": True}
    noun: ClassVar[str] = "attachment"

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    room_id: Mapped[UUID | None] = mapped_column(ForeignKey("chat_rooms.id", ondelete="SET NULL"), index=True)
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="SET NULL"), index=True)
    uploaded_by: Mapped[UUID]
    upload_id: Mapped[UUID]
    name: Mapped[str]
    mime: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def folder(self) -> str:
        """Where the store has the bytes of all its uploads."""
        return f"attachments/{self.client_id}/{self.id}"

    @property
    def key(self) -> str:
        """Where the store has it."""
        return f"{self.folder}/{self.upload_id}"

    @property
    def url(self) -> str:
        """Where it is downloaded, at the platform's own address."""
        return f"/api/v1/attachments/{self.id}"
