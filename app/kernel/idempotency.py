"""What is kept of requests that carry an Idempotency-Key: the first reply. Written by the HTTP frame, forgotten by a
worker, which knows no Flask.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, delete, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.clock import database_now
from app.kernel.db import Base
from app.kernel.sealing import seals


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


def reply_context(caller: str, key: str) -> str:
    """Return what a stored reply is sealed to."""
    return f"idempotency:{caller}:{key}"


seals(IdempotencyKey, "sealed_reply", lambda row: reply_context(row.caller, row.key))


def forget_expired_keys(session: Session, limit: int = 5000) -> int:
    """Delete some of the keys whose time is over; returns how many."""
    expired = (
        select(IdempotencyKey.caller, IdempotencyKey.key).where(IdempotencyKey.expires_at < database_now()).limit(limit)
    )
    gone = delete(IdempotencyKey).where(tuple_(IdempotencyKey.caller, IdempotencyKey.key).in_(expired))
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
