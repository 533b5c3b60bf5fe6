"""How a cluster fares: what the newest check found, when the next one is due, and the checks of the last hours."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Float, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base


class ClusterHealth(Base):
    """One row for each cluster, written by the checks alone. `failures` counts the checks that failed in a row.

    `step` is where the newest check failed (see `STEPS`). What is not due at any time is not checked.
    """

    __tablename__ = "cluster_health"
    __table_args__ = (
        Index("ix_cluster_health_next_check_at", "next_check_at"),
        Index("ix_cluster_health_next_inventory_at", "next_inventory_at"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True)
    checked_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    latency_ms: Mapped[float | None] = mapped_column(Float)
    step: Mapped[str | None]
    code: Mapped[str | None]
    message: Mapped[str | None]
    node_count: Mapped[int | None] = mapped_column(Integer)
    ready_nodes: Mapped[int | None] = mapped_column(Integer)
    next_check_at: Mapped[datetime | None]
    next_inventory_at: Mapped[datetime | None]


class ClusterCheck(Base):
    """One check, kept for some hours."""

    __tablename__ = "cluster_checks"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    healthy: Mapped[bool]
    latency_ms: Mapped[float | None] = mapped_column(Float)
    step: Mapped[str | None]
    code: Mapped[str | None]
    message: Mapped[str | None]
