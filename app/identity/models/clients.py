"""Client applications, which have users of their own, and the keys of both."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from app.identity.key_texts import CLIENT_KEY, CLIENT_USER_KEY
from app.identity.permissions import CLIENT_PLANS, STANDARD
from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id


class Client(Base):
    """An application that uses the platform for its own users. It is a place by itself and lies in no organization;
    what lies in it has its id as `client_id`. Deleted, it lets in nobody, and its rows go bit by bit."""

    __tablename__ = "clients"
    __table_args__ = (
        CheckConstraint(f"plan IN ({', '.join(repr(plan) for plan in CLIENT_PLANS)})", name="plan"),
        Index("uq_clients_name_lower", text("lower(name)"), unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_clients_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    description: Mapped[str | None]
    contact_email: Mapped[str | None]
    plan: Mapped[str] = mapped_column(server_default=STANDARD)
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    message_retention_days: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())
    disabled_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    client_id: Mapped[UUID] = synonym("id")
    key: Mapped[ClientKey] = relationship(
        primaryjoin="and_(ClientKey.client_id == Client.id, ClientKey.user_id == None, ClientKey.revoked_at == None)",
        viewonly=True,
    )

    @property
    def is_active(self) -> bool:
        """Whether its keys let in."""
        return self.disabled_at is None

    @property
    def status(self) -> str:
        """The same in a word."""
        return "active" if self.is_active else "disabled"

    @property
    def limits(self) -> dict[str, int | None]:
        """What its plan allows; None for no limit."""
        return {"users": CLIENT_PLANS[self.plan]}


class ClientKey(Base):
    """A key of a client application or, with `user_id`, of one of its users: found by `public_part`, known by a keyed
    hash of the whole. Of either one works at a time; another one is another row, so that what the one before has opened
    ends with it."""

    __tablename__ = "client_keys"
    __table_args__ = (
        UniqueConstraint("public_part"),
        Index(
            "uq_client_keys_working",
            text("coalesce(user_id, client_id)"),
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_client_keys_client_id", "client_id"),
        Index("ix_client_keys_user_id", "user_id"),
        Index("ix_client_keys_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    public_part: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_ip: Mapped[str | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    @property
    def prefix(self) -> str:
        """How its text begins."""
        return (CLIENT_KEY if self.user_id is None else CLIENT_USER_KEY) + self.public_part


audited(
    Client,
    "client",
    ("name", "description", "contact_email", "plan", "message_retention_days", "disabled_at", "deleted_at"),
    hidden=("settings",),
)
audited(ClientKey, "client_key", ("client_id", "user_id", "expires_at", "revoked_at"), hidden=("secret_hash",))
