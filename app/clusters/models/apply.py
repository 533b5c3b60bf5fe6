"""Manifests that somebody has asked to apply, until the job that applies them is forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base
from app.kernel.sealing import seals


class ClusterApply(Base):
    """What is to be applied, and the rights its asker had then. `manifests` may hold secrets: they are encrypted, and
    not loaded with the row. `namespaces` may be written to, all of them if `everywhere`; what lies in no namespace, or
    gives rights in the cluster, only if `wide`."""

    __tablename__ = "cluster_applies"
    __table_args__ = (
        Index("ix_cluster_applies_cluster_id", "cluster_id"),
        Index("ix_cluster_applies_job_id", "job_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    manifests: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    namespace: Mapped[str]
    dry_run: Mapped[bool]
    force: Mapped[bool]
    everywhere: Mapped[bool]
    wide: Mapped[bool]
    namespaces: Mapped[list[Any]]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def apply_context(apply_id: UUID) -> str:
    """Return what manifests are bound to."""
    return f"cluster_apply:{apply_id}"


seals(ClusterApply, "manifests", lambda row: apply_context(row.id))
