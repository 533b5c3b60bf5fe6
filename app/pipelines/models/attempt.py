"""What became of attempts that another one followed."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class StepAttempt(Base):
    """How an attempt of a step ended; written when the next one is queued, so the newest is on the step itself.

    `stage_attempt` is the run of the stage it belonged to, `finished_at` of a lost one when that was noticed.
    """

    __tablename__ = "step_attempts"
    __table_args__ = (
        UniqueConstraint("step_id", "attempt"),
        Index("ix_step_attempts_execution_id_started_at", "execution_id", "started_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    step_id: Mapped[UUID] = mapped_column(ForeignKey("steps.id", ondelete="CASCADE"))
    stage_name: Mapped[str]
    step_name: Mapped[str]
    stage_attempt: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    status: Mapped[str]
    reason: Mapped[str | None]
    exit_code: Mapped[int | None] = mapped_column(Integer)
    signal: Mapped[int | None] = mapped_column(Integer)
    duration_seconds: Mapped[float | None] = mapped_column(Float)
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sandbox: Mapped[str | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]

    @property
    def logs_url(self) -> str:
        """The address of what it wrote."""
        place = f"{quote(self.stage_name, safe='')}/{quote(self.step_name, safe='')}"
        return f"/api/v1/executions/{self.execution_id}/logs/{place}?attempt={self.attempt}"
