"""Accounts, their logins and their memberships.

`Membership` lives here and not beside the organizations, because every request reads it: authentication is one query
over users, logins and memberships, and a lower room cannot ask a higher one. Identity knows an organization by its id
alone; the room that owns organizations adds the foreign key.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.ids import new_id

USER: Final = "user"
ADMIN: Final = "admin"

OWNER: Final = "owner"
MEMBER: Final = "member"
VIEWER: Final = "viewer"
ORGANIZATION_ROLES: Final = (OWNER, ADMIN, MEMBER, VIEWER)


class User(Base):
    """A person's account. Names and addresses are unique whatever their case; without a password hash it is entered
    by other means than a password."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'admin')", name="role"),
        Index("uq_users_username_lower", text("lower(username)"), unique=True),
        Index("uq_users_email_lower", text("lower(email)"), unique=True),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    username: Mapped[str]
    email: Mapped[str]
    email_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default=USER)
    display_name: Mapped[str | None]
    bio: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]


class Membership(Base):
    """A user's role in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
        UniqueConstraint("user_id", "organization_id"),
        Index("ix_memberships_organization_id", "organization_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID]
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


class LoginSession(Base):
    """One login on one device: the family of all refresh tokens that followed from it. Ended, none of them works."""

    __tablename__ = "login_sessions"
    __table_args__ = (Index("ix_login_sessions_user_id_created_at", "user_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_used_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class RefreshToken(Base):
    """A single-use token of a login; only its hash is kept.

    A used one keeps its successor, sealed with the used token itself: whoever sends the same token again at once gets
    the same successor, and nobody who reads this table learns it.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index("ix_refresh_tokens_session_id_expires_at", "session_id", "expires_at"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    sealed_successor: Mapped[bytes | None]


class SigningKey(Base):
    """An Ed25519 key of access tokens. The newest one signs; all that are not retired are believed and published."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[bytes]
    sealed_private_key: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    retired_at: Mapped[datetime | None]
