"""Mails to the owners of accounts, and the tokens some of them carry."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id


class AccountMail(Base):
    """A mail that somebody is to get. What it says is written when it is sent: `details` holds no secret."""

    __tablename__ = "account_mails"
    __table_args__ = (
        Index("ix_account_mails_address_created_at", text("lower(address)"), "created_at"),
        Index("ix_account_mails_created_at", "created_at"),
        Index("ix_account_mails_user_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    address: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    sent_at: Mapped[datetime | None]


class AccountToken(Base):
    """A single-use token that a mail has carried to an address; only its hash is kept."""

    __tablename__ = "account_tokens"
    __table_args__ = (
        Index("ix_account_tokens_user_id_purpose", "user_id", "purpose"),
        Index("ix_account_tokens_expires_at", "expires_at"),
    )

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


audited(AccountMail, "account_mail", ("kind", "user_id"))
