"""What there is on a cluster, as it was last seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Integer, false, select
from sqlalchemy.orm import Mapped, column_property, mapped_column

from app.kernel.db import Base

NODES: Final = "nodes"
NAMESPACES: Final = "namespaces"
PODS: Final = "pods"
SERVICES: Final = "services"
DEPLOYMENTS: Final = "deployments"
EVENTS: Final = "events"
JOBS: Final = "jobs"
CLAIMS: Final = "persistentvolumeclaims"
AUTOSCALERS: Final = "horizontalpodautoscalers"
QUOTAS: Final = "resourcequotas"
CERTIFICATES: Final = "certificates"
WATCHED: Final = (NODES, PODS, EVENTS)
KINDS: Final = (
    *(NODES, NAMESPACES, PODS, SERVICES, DEPLOYMENTS, EVENTS),
    *(JOBS, CLAIMS, AUTOSCALERS, QUOTAS, CERTIFICATES),
)


class ClusterInventory(Base):
    """When the objects of a kind were last listed, and how that went.

    `truncated` says that there are more than are kept; with an `error` what is kept is what was seen before. What
    happens after `version` is watched from `next_watch_at` on, where that is to be and the cluster lets us.
    """

    __tablename__ = "cluster_inventories"
    __table_args__ = (Index("ix_cluster_inventories_next_watch_at", "next_watch_at"),)

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime | None]
    count: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    truncated: Mapped[bool] = mapped_column(server_default=false(), default=False)
    error: Mapped[str | None]
    version: Mapped[str | None]
    next_watch_at: Mapped[datetime | None]

    @property
    def watched(self) -> bool:
        """Whether changes are seen as they happen, between one list and the next."""
        return self.next_watch_at is not None


class ClusterObject(Base):
    """An object of a cluster, in few words: `data` has a form of its own for each kind, `digest` tells whether that
    changed. What lies in no namespace has an empty one."""

    __tablename__ = "cluster_objects"
    __table_args__ = (
        ForeignKeyConstraint(
            ["cluster_id", "kind"], ["cluster_inventories.cluster_id", "cluster_inventories.kind"], ondelete="CASCADE"
        ),
        Index("ix_cluster_objects_status", "cluster_id", "kind", "status"),
    )

    cluster_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    namespace: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str | None]
    data: Mapped[dict[str, Any]]
    digest: Mapped[str]
    created_at: Mapped[datetime | None]


ClusterObject.observed_at = column_property(
    select(ClusterInventory.observed_at)
    .where(ClusterInventory.cluster_id == ClusterObject.cluster_id, ClusterInventory.kind == ClusterObject.kind)
    .correlate(ClusterObject)
    .scalar_subquery()
)
