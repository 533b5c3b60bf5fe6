"""A chat room: what it is, how it stands, and who is in it.

active ──▶ inactive: `manual`, or `auto_inactive` after days of silence ──▶ active
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, select, text, true
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.kernel.audit import audited
from app.kernel.clock import database_now
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.messaging.errors import RoomInactive, RoomStands

DIRECT: Final = "direct"
GROUP: Final = "group"
CHANNEL: Final = "channel"
SUPPORT: Final = "support"
ROOM_TYPES: Final = (DIRECT, GROUP, CHANNEL, SUPPORT)
INACTIVE_AFTER_DAYS: Final = {DIRECT: 90, GROUP: 30, CHANNEL: 180, SUPPORT: 7}
"""After how many days without a message a room of each type becomes inactive by itself."""

OWNER: Final = "owner"
ADMIN: Final = "admin"
MEMBER: Final = "member"
ROLES: Final = (OWNER, ADMIN, MEMBER)

MANUAL: Final = "manual"
AUTO_INACTIVE: Final = "auto_inactive"
EXPIRED: Final = "expired"


class ChatRoom(Base):
    """A room of a client application. What changes with every message is in `state`, so that a message changes no
    entity tag."""

    __tablename__ = "chat_rooms"
    __table_args__ = (
        CheckConstraint(f"room_type IN {ROOM_TYPES}", name="room_type"),
        CheckConstraint("max_members BETWEEN 2 AND 10000", name="max_members"),
        Index("ix_chat_rooms_client_id_created_at", "client_id", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}
    noun: ClassVar[str] = "room"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None]
    room_type: Mapped[str] = mapped_column(server_default=GROUP, default=GROUP)
    max_members: Mapped[int] = mapped_column(server_default="100", default=100)
    meta: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"), default=dict)
    alerts_from: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"), default=list)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    state: Mapped[RoomState] = relationship(lazy="joined", innerjoin=True, cascade="all", passive_deletes=True)


class RoomState(Base):
    """How a room stands. Whoever writes in a room locks this row first: its lock is the order of the room.

    `last_seq` is the number of the newest message, `last_place` that of the newest event. Both count without a gap,
    because they move in the transaction that stores what they count.
    """

    __tablename__ = "room_states"
    __table_args__ = (
        CheckConstraint("is_active = (deactivated_at IS NULL)", name="is_active"),
        # Each message updates the row; with room on its page, and no index on what changes, that stays cheap.
        {"postgresql_with": {"fillfactor": "70"}},
    )
    __mapper_args__ = {"eager_defaults": True}

    room_id: Mapped[UUID] = mapped_column(ForeignKey("chat_rooms.id", ondelete="CASCADE"), primary_key=True)
    client_id: Mapped[UUID]
    is_active: Mapped[bool] = mapped_column(server_default=true(), default=True)
    deactivated_at: Mapped[datetime | None]
    deactivated_reason: Mapped[str | None]
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    last_place: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    last_message_at: Mapped[datetime | None]
    quiet_since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    participant_count: ClassVar[Any]

    def deactivate(self, reason: str) -> None:
        """Let nobody write any more. Raises RoomStands when it is inactive."""
        if not self.is_active:
            raise RoomStands("The room is inactive already.", reason=self.deactivated_reason)
        self.is_active, self.deactivated_at, self.deactivated_reason = False, database_now(), reason

    def activate(self) -> None:
        """Let members write again. Raises RoomStands when it is active."""
        if self.is_active:
            raise RoomStands("The room is active.")
        self.is_active, self.deactivated_at, self.deactivated_reason = True, None, None
        self.quiet_since = database_now()

    def refuse_inactive(self) -> None:
        """Raises RoomInactive."""
        if not self.is_active:
            raise RoomInactive(reason=self.deactivated_reason)

    def awake(self) -> bool:
        """Tell whether a message may be sent, which wakes a room that fell asleep by itself; raises RoomInactive."""
        if self.deactivated_reason != AUTO_INACTIVE:
            self.refuse_inactive()
        return self.is_active


class RoomMember(Base):
    """A user in a room, or one who has left: who comes back finds their place as it was. `last_read_seq` is the newest
    message they have read. Who was sent out, by `sent_out_by`, comes back only if somebody brings them in."""

    __tablename__ = "room_members"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", name="role"),
        Index("ix_room_members_user_id", "user_id", "room_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    room_id: Mapped[UUID] = mapped_column(ForeignKey("chat_rooms.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    client_id: Mapped[UUID]
    role: Mapped[str] = mapped_column(server_default=MEMBER, default=MEMBER)
    display_name: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"), default=dict)
    joined_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    left_at: Mapped[datetime | None]
    last_read_seq: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    last_read_at: Mapped[datetime | None]
    sent_out_by: Mapped[UUID | None]

    @property
    def is_active(self) -> bool:
        """Whether they are in the room now."""
        return self.left_at is None

    @property
    def manages(self) -> bool:
        """Whether they may change the room and its members."""
        return self.role in (OWNER, ADMIN)


# Not with the row: whoever locks it to write would count the members each time.
RoomState.participant_count = column_property(
    select(func.count())
    .where(RoomMember.room_id == RoomState.room_id, RoomMember.left_at.is_(None))
    .correlate_except(RoomMember)
    .scalar_subquery(),
    deferred=True,
)

audited(ChatRoom, "room", ("name", "description", "room_type", "max_members", "alerts_from"), hidden=("meta",))
audited(RoomMember, "room_member", ("role", "joined_at", "left_at"))
