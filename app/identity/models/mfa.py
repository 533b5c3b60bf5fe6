"""Second factors: the secret of each account's authenticator, its recovery codes, and logins that wait for a code."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.sealing import seals


class MfaFactor(Base):
    """The authenticator of an account; without `confirmed_at` it has not shown a code yet and asks nobody for one.
    `last_step` is the newest time step whose code was used: no code works twice."""

    __tablename__ = "mfa_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed_secret: Mapped[bytes]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class RecoveryCode(Base):
    """A code that works once, for who has lost the authenticator; a hash."""

    __tablename__ = "recovery_codes"
    __table_args__ = (Index("ix_recovery_codes_user_id", "user_id"),)

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))


class MfaChallenge(Base):
    """A login whose first factor was right; the token that continues it is kept as a hash."""

    __tablename__ = "mfa_challenges"
    __table_args__ = (
        Index("ix_mfa_challenges_expires_at", "expires_at"),
        Index("ix_mfa_challenges_user_id", "user_id"),
    )

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]


audited(MfaFactor, "mfa_factor", ("user_id", "confirmed_at"), hidden=("sealed_secret",))


def place_of_secret(user_id: UUID) -> str:
    """Return what an authenticator's secret is bound to in the vault."""
    return f"mfa_factors/{user_id}"


seals(MfaFactor, "sealed_secret", lambda row: place_of_secret(row.user_id))
