"""Provisionings: what is being done to a workspace or a project on its cluster, as a list of phases.

running ──▶ succeeded
   └──────▶ undoing ──▶ failed | cancelled
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Float, ForeignKey, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.kernel.db import Base
from app.kernel.ids import new_id

RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
UNDOING: Final = "undoing"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
STATUSES: Final = (RUNNING, SUCCEEDED, UNDOING, FAILED, CANCELLED)
OPEN: Final = (RUNNING, UNDOING)

PENDING: Final = "pending"
ENSURING: Final = "ensuring"
DONE: Final = "done"
UNDONE: Final = "undone"
PHASE_STATUSES: Final = (PENDING, ENSURING, DONE, UNDOING, UNDONE)


class Provisioning(Base):
    """One operation on a workspace, or on one of its projects; at most one of each is open at a time.

    `wanted` is what was asked for, frozen. `ends_as` is what an undo ends as: it failed, or it was cancelled. It keeps
    its ids when what it is about is gone, for `known` of an id tells that a thing on a cluster was ours.
    """

    __tablename__ = "provisionings"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index(
            "uq_provisionings_open",
            text("coalesce(project_id, workspace_id)"),
            unique=True,
            postgresql_where=text("status IN ('running', 'undoing')"),
        ),
        Index("ix_provisionings_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_provisionings_project_id", "project_id"),
        Index("ix_provisionings_finished_at", "finished_at"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID]
    workspace_id: Mapped[UUID]
    project_id: Mapped[UUID | None]
    host_id: Mapped[UUID]
    operation: Mapped[str]
    wanted: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    status: Mapped[str] = mapped_column(server_default=RUNNING, default=RUNNING)
    ends_as: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    waiting_for: Mapped[str | None]
    job_id: Mapped[UUID]
    undo_job_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]

    phases: Mapped[list[ProvisioningPhase]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="ProvisioningPhase.position"
    )

    @property
    def is_open(self) -> bool:
        """Whether it is being done or undone."""
        return self.status in OPEN

    @property
    def phase(self) -> str | None:
        """The phase it is at, or where it stopped."""
        begun = [phase for phase in self.phases if phase.status in (ENSURING, UNDOING)]
        return begun[-1].name if begun else None

    @property
    def percent(self) -> float:
        """How far it is: what share of its phases holds."""
        whole = sum(phase.share for phase in self.phases) or 1
        done = sum(phase.share for phase in self.phases if phase.status == DONE)
        return round(100.0 * done / whole, 1)


class ProvisioningPhase(Base):
    """A phase: `attempt` is the attempt of the job that began it last, `waits` how often it was not ready yet, and
    `seconds` the time from its first begin to its end."""

    __tablename__ = "provisioning_phases"
    __table_args__ = (CheckConstraint(f"status IN {PHASE_STATUSES}", name="status"),)

    provisioning_id: Mapped[UUID] = mapped_column(ForeignKey("provisionings.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str]
    share: Mapped[int] = mapped_column(Integer)
    undoable: Mapped[bool] = mapped_column(Boolean, server_default=text("true"), default=True)
    status: Mapped[str] = mapped_column(server_default=PENDING, default=PENDING)
    attempt: Mapped[int | None] = mapped_column(Integer)
    waits: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    detail: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    seconds: Mapped[float | None] = mapped_column(Float)
