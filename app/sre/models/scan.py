"""Scans, what each judged of every series, and what is remembered of stored series between two of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id

QUEUED: Final = "queued"
RUNNING: Final = "running"
STATUSES: Final = (QUEUED, RUNNING, "succeeded", "failed", "cancelled")

GIVEN: Final = "given"
STORED: Final = "stored"
SOURCES: Final = (GIVEN, STORED)


class Scan(Base):
    """A scan of some series: `given` in the request, or `stored`, whose samples since the last scan are judged up to
    `until`, in microseconds since the epoch. Its status is that of its job."""

    __tablename__ = "scans"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        Index("ix_scans_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_scans_created_at", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    schedule_id: Mapped[UUID | None]
    source: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=QUEUED, default=QUEUED)
    until: Mapped[int | None] = mapped_column(BigInteger)
    series: Mapped[int] = mapped_column(Integer)
    points: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    anomalies: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]

    @property
    def until_moment(self) -> datetime | None:
        """`until` as a moment."""
        return None if self.until is None else datetime.fromtimestamp(self.until / 1e6, UTC)


class ScanSeries(Base):
    """A series in a scan: the points that are to be judged, where they came with the request, and the scores, packed.
    `points` is empty until it is judged. Weeks are partitions; `scanned_at` is the scan's `created_at`."""

    __tablename__ = "scan_series"
    __table_args__ = (
        Index("ix_scan_series_scan_id_series", "scan_id", "series"),
        {"postgresql_partition_by": "RANGE (scanned_at)"},
    )

    scan_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    scanned_at: Mapped[datetime] = mapped_column(primary_key=True)
    series: Mapped[str]
    series_id: Mapped[int | None] = mapped_column(BigInteger)
    given: Mapped[bytes | None]
    scores: Mapped[bytes | None]
    points: Mapped[int | None] = mapped_column(Integer)
    anomalies: Mapped[int] = mapped_column(Integer, server_default="0", default=0)


class SeriesState(Base):
    """What the detector remembers of a stored series. `version` rises with each judgement, so that of two scans at once
    one alone can add to it; `judged_until` is the second of the newest point that was judged."""

    __tablename__ = "series_states"

    series_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("metric_series.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[bytes]
    judged_until: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ScanSchedule(Base):
    """Stored series that are scanned every so many seconds. `series` are names, or texts with labels."""

    __tablename__ = "scan_schedules"
    __table_args__ = (
        Index("ix_scan_schedules_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_scan_schedules_next_run_at", "next_run_at", postgresql_where=text("enabled")),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    name: Mapped[str]
    series: Mapped[list[Any]]
    interval_seconds: Mapped[int] = mapped_column(Integer)
    enabled: Mapped[bool]
    next_run_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_scan_id: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


audited(Scan, "scan", ("source", "series"))
audited(ScanSchedule, "scan_schedule", ("name", "series", "interval_seconds", "enabled"))
