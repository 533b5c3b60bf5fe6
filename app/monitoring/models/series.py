"""Series, their samples in packed chunks, and their roll-ups in packed days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, UniqueConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.monitoring.naming import text_of

FINE: Final = 300
COARSE: Final = 3600
RESOLUTIONS: Final = (FINE, COARSE)
"""Seconds of the buckets that roll-ups are kept of."""


class MetricSeries(Base):
    """A series of an organization: numbers under one name and one set of labels. Times are microseconds since the
    epoch; `newest` is the latest that was ever written. A workspace's or cluster's series lies there too."""

    __tablename__ = "metric_series"
    __table_args__ = (
        UniqueConstraint("organization_id", "fingerprint"),
        Index("ix_metric_series_organization_id_name", "organization_id", "name", "id"),
        Index("ix_metric_series_cluster_id", "cluster_id"),
        Index("ix_metric_series_workspace_id", "workspace_id"),
        # Each write changes `newest`, `points` and `written_at`: none is in an index, and pages have room for it, so
        # that no index is touched.
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    name: Mapped[str]
    labels: Mapped[dict[str, Any]]
    fingerprint: Mapped[bytes]
    newest: Mapped[int | None] = mapped_column(BigInteger)
    points: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    written_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def text(self) -> str:
        """How it is written."""
        return text_of(self.name, self.labels)

    @property
    def newest_at(self) -> datetime | None:
        """The moment of its newest sample."""
        return None if self.newest is None else datetime.fromtimestamp(self.newest / 1e6, UTC)


class MetricChunk(Base):
    """Some samples of a series, from `first` to `last`, packed. What a write brings is a chunk; those of a series are
    later *folded* into one, and into its roll-ups. Weeks of writing are partitions: so there is always one to write to,
    whatever times the samples have, and forgetting is dropping a table."""

    __tablename__ = "metric_chunks"
    __table_args__ = (
        Index("ix_metric_chunks_unfolded", "series_id", postgresql_where=text("NOT folded")),
        {"postgresql_partition_by": "RANGE (written_at)"},
    )

    series_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    written_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.clock_timestamp())
    last: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)
    folded: Mapped[bool] = mapped_column(server_default=false())
    data: Mapped[bytes]


class MetricRollup(Base):
    """A day of a series in buckets of `resolution` seconds: for each the number of its samples, their least, their most
    and their sum, packed. Weeks are partitions."""

    __tablename__ = "metric_rollups"
    __table_args__ = (
        Index("ix_metric_rollups_written_at", "written_at", postgresql_using="brin"),
        {"postgresql_partition_by": "RANGE (day)"},
    )

    series_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    resolution: Mapped[int] = mapped_column(Integer, primary_key=True)
    day: Mapped[datetime] = mapped_column(primary_key=True)
    written_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    data: Mapped[bytes]
