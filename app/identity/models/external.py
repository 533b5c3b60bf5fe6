"""Accounts at other providers, and logins there that have not come back yet."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals


class ExternalAccount(Base):
    """An account at a provider, by which its owner comes in. No token of the provider is kept."""

    __tablename__ = "external_accounts"
    __table_args__ = (
        UniqueConstraint("provider", "subject"),
        Index("ix_external_accounts_user_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str]
    subject: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ExternalLogin(Base):
    """A login at a provider that was begun, by the hash of its state, with what will tie the answer to it sealed; or an
    id token that was used, by its hash and with nothing sealed."""

    __tablename__ = "external_logins"
    __table_args__ = (Index("ix_external_logins_expires_at", "expires_at"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    sealed: Mapped[bytes | None]
    expires_at: Mapped[datetime]


def place_of_login(token_hash: str) -> str:
    """Return what the secrets of a login at a provider are bound to in the vault."""
    return f"external_logins/{token_hash}"


seals(ExternalLogin, "sealed", lambda row: place_of_login(row.token_hash))
