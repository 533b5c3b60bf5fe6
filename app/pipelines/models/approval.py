"""Who was asked whether a stage may run, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.clock import format_time
from app.kernel.db import Base

DECISIONS: Final = ("waiting", "approved", "rejected", "expired", "cancelled")


class StageApproval(Base):
    """One time a stage was waiting for approval. `job_id` is the job that ends it when nobody decides, and
    `seconds_left` what the execution had left of its timeout: waiting takes nothing of it."""

    __tablename__ = "stage_approvals"
    __table_args__ = (
        CheckConstraint(f"status IN {DECISIONS}", name="status"),
        Index("ix_stage_approvals_execution_id_requested_at", "execution_id", "requested_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    stage_id: Mapped[UUID] = mapped_column(ForeignKey("stages.id", ondelete="CASCADE"))
    stage_name: Mapped[str]
    job_id: Mapped[UUID] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default="waiting")
    seconds_left: Mapped[float] = mapped_column(Float)
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str | None]

    def as_event(self) -> dict[str, Any]:
        """Return what the stream tells of it."""
        return {
            "execution_id": str(self.execution_id),
            "stage": self.stage_name,
            "status": self.status,
            "decided_by": str(self.decided_by) if self.decided_by else None,
            "comment": self.comment,
            "expires_at": format_time(self.expires_at),
        }
