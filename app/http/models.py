"""What the HTTP frame keeps: the first replies to requests that carry an Idempotency-Key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class IdempotencyKey(Base):
    """One key of one caller. While `status` is empty the first request runs, at most until `expires_at`.

    `claim` is the fencing token of the request that holds the key; `sealed_reply` is encrypted, for replies may carry
    secrets that are shown once.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    claim: Mapped[UUID]
    status: Mapped[int | None]
    sealed_reply: Mapped[bytes | None]
    expires_at: Mapped[datetime]
