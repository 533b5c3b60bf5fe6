"""Messages, and what else happens in a room."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id

TEXT: Final = "text"
SYSTEM: Final = "system"
CUSTOM: Final = "custom"
ATTACHMENTS: Final = ("image", "file", "video", "audio", "document")
MESSAGE_TYPES: Final = (TEXT, *ATTACHMENTS, SYSTEM, CUSTOM)

WORDS: Final = text("to_tsvector('simple'::regconfig, content)")
"""What a message is found by. No language is assumed: words are taken as they are, whatever their case."""


class Message(Base):
    """A message. `seq` is its number in the room; `first_place` and `place` are the numbers of the events that told of
    it first and last. A deleted one keeps what it said, for it may be restored, and tells it to nobody.

    Without a `sender_id` it is from the application itself. `deleted_by` is who deleted it, if it is deleted: a user,
    or the application.
    """

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint(f"message_type IN {MESSAGE_TYPES}", name="message_type"),
        UniqueConstraint("room_id", "seq"),
        UniqueConstraint("room_id", "first_place"),
        Index(
            "uq_messages_client_message_id",
            "room_id",
            text("coalesce(sender_id, client_id)"),
            "client_message_id",
            unique=True,
            postgresql_where=text("client_message_id IS NOT NULL"),
        ),
        Index("ix_messages_thread_id_seq", "thread_id", "seq", postgresql_where=text("thread_id IS NOT NULL")),
        Index("ix_messages_words", WORDS, postgresql_using="gin"),
        Index("ix_messages_client_id_created_at", "client_id", "created_at"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID]
    room_id: Mapped[UUID] = mapped_column(ForeignKey("chat_rooms.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    first_place: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[int] = mapped_column(BigInteger)
    sender_id: Mapped[UUID | None]
    sender_name: Mapped[str]
    message_type: Mapped[str]
    content: Mapped[str]
    meta: Mapped[dict[str, Any]]
    reply_to_id: Mapped[UUID | None]
    thread_id: Mapped[UUID | None]
    mentions: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)), server_default=text("'{}'"))
    client_message_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[UUID | None]

    noun: ClassVar[str] = "message"

    @property
    def is_edited(self) -> bool:
        """Whether it says something else than at first."""
        return self.edited_at is not None

    @property
    def is_deleted(self) -> bool:
        """Whether what it says is told to nobody."""
        return self.deleted_at is not None

    @property
    def told_content(self) -> str | None:
        """What it says, to whoever may read it."""
        return None if self.is_deleted else self.content

    @property
    def told_meta(self) -> dict[str, Any]:
        """What goes with it, likewise."""
        return {} if self.is_deleted else self.meta

    @property
    def told_mentions(self) -> list[UUID]:
        """Whom it names, likewise."""
        return [] if self.is_deleted else self.mentions


class RoomChange(Base):
    """An event of a room that is no new message: of a message that changed, or of a member. `place` is its number among
    the room's events."""

    __tablename__ = "room_changes"
    __table_args__ = (Index("ix_room_changes_client_id_created_at", "client_id", "created_at"),)

    room_id: Mapped[UUID] = mapped_column(ForeignKey("chat_rooms.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    client_id: Mapped[UUID]
    type: Mapped[str]
    message_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


audited(Message, "message", ("deleted_at",), hidden=("content", "meta"))
