"""The ledger: a table in which an effect that happens twice shows twice, for nothing in it is unique."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kernel.db import Base


class LedgerBase(DeclarativeBase):
    """Its own tables: they are not the platform's."""

    type_annotation_map = Base.type_annotation_map


class Entry(LedgerBase):
    """An effect: of which job, in which attempt, for which of the client's wishes."""

    __tablename__ = "faults_ledger"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ref: Mapped[str]
    job_id: Mapped[UUID]
    attempt: Mapped[int]
    written_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
