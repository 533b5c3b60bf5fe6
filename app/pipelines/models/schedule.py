"""When a pipeline is started by the clock."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class Schedule(Base):
    """A cron expression of a pipeline's triggers; `next_at` is empty until it has been worked out.

    `last_at` is the moment that was due last, and `reason` why nothing was started then.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        UniqueConstraint("pipeline_id", "expression", "timezone"),
        Index("ix_schedules_next_at", text("next_at NULLS FIRST")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    pipeline_id: Mapped[UUID] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    expression: Mapped[str]
    timezone: Mapped[str]
    next_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    last_execution_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
