"""Anomalies: stretches of a series that a scan found unusual."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id

SEVERITIES: Final = ("warning", "critical")


class Anomaly(Base):
    """What was unusual, from when until when. `scan_id` is the scan that found it; a later one may move its `end`, its
    `peak`, `score` and what belongs to them while it `is_open`, never its `start` or `detected_at`."""

    __tablename__ = "anomalies"
    __table_args__ = (
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
        Index("uq_anomalies_stored", "series_id", "start", unique=True, postgresql_where=text("series_id IS NOT NULL")),
        Index(
            "uq_anomalies_given",
            *("scan_id", "series", "start"),
            unique=True,
            postgresql_where=text("series_id IS NULL"),
        ),
        Index("ix_anomalies_scan_id", "scan_id"),
        Index("ix_anomalies_organization_id_start", "organization_id", "start", "id"),
        Index("ix_anomalies_organization_id_series", "organization_id", "series", "start"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    scan_id: Mapped[UUID]
    series: Mapped[str]
    series_id: Mapped[int | None] = mapped_column(BigInteger)
    start: Mapped[datetime]
    end: Mapped[datetime]
    detected_at: Mapped[datetime]
    peak: Mapped[float] = mapped_column(Float)
    score: Mapped[float] = mapped_column(Float)
    severity: Mapped[str]
    low: Mapped[float] = mapped_column(Float)
    high: Mapped[float] = mapped_column(Float)
    reason: Mapped[str]
    is_open: Mapped[bool]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def expected(self) -> dict[str, float]:
        """The values that would have been nothing unusual."""
        return {"low": self.low, "high": self.high}


audited(Anomaly, "anomaly", ("acknowledged_at",))
