"""Sources: where samples are pulled from, and how that went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, Integer, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals

PROMETHEUS: Final = "prometheus"
KUBERNETES: Final = "kubernetes"
SOURCE_KINDS: Final = (PROMETHEUS, KUBERNETES)
LONGEST_SPAN: Final = 3600


class MetricSource(Base):
    """A server that samples are pulled from: a Prometheus, by its `url` and what is asked of it, or the metrics API of
    a cluster, which is opened as the cluster is. All up to `pulled_until` (seconds since the epoch) has been pulled;
    the next pull reads at most `span_seconds` from there. `error` says why the newest one failed, or what it left out.
    """

    __tablename__ = "metric_sources"
    __table_args__ = (
        CheckConstraint(f"kind IN {SOURCE_KINDS}", name="kind"),
        CheckConstraint("(kind = 'prometheus') = (url IS NOT NULL)", name="url"),
        Index("uq_metric_sources_cluster_id", "cluster_id", unique=True, postgresql_where=text("kind = 'kubernetes'")),
        Index("ix_metric_sources_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_metric_sources_next_pull_at", "next_pull_at", postgresql_where=text("enabled")),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    kind: Mapped[str]
    name: Mapped[str]
    url: Mapped[str | None]
    credentials: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    queries: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    interval_seconds: Mapped[int] = mapped_column(Integer)
    enabled: Mapped[bool] = mapped_column(server_default=true(), default=True)
    next_pull_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    pulled_until: Mapped[float | None] = mapped_column(Float)
    pulled_at: Mapped[datetime | None]
    span_seconds: Mapped[int] = mapped_column(Integer, server_default=str(LONGEST_SPAN), default=LONGEST_SPAN)
    failures: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    series: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    samples: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    @property
    def pulled_until_moment(self) -> datetime | None:
        """`pulled_until` as a moment."""
        return None if self.pulled_until is None else datetime.fromtimestamp(self.pulled_until, UTC)

    @property
    def is_made_by_cluster(self) -> bool:
        """Whether it is there because its cluster is."""
        return self.kind == KUBERNETES


def vault_context(source_id: UUID) -> str:
    """Return what a source's credentials are bound to: moved to another source they do not open."""
    return f"metric_source:{source_id}"


audited(
    MetricSource, "metric_source", ("name", "url", "queries", "interval_seconds", "enabled"), hidden=("credentials",)
)
seals(MetricSource, "credentials", lambda row: vault_context(row.id))
