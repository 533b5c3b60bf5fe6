"""Logins with their refresh tokens, and the keys that sign access tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals


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


audited(LoginSession, "login_session", ("user_id", "ip_address", "user_agent"))


def place_of_key(kid: str) -> str:
    """Return what a signing key's private part is bound to in the vault."""
    return f"signing_keys/{kid}"


seals(SigningKey, "sealed_private_key", lambda row: place_of_key(row.kid))
