"""Clusters as places for workspaces: what tenancy, which lies below, asks of this room."""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, func, select
from sqlalchemy.orm import Session

from app.clusters.errors import ClusterInUse
from app.clusters.hooks import before_deletion
from app.clusters.models import CONNECTED, Cluster
from app.kernel.db import table_of
from app.tenancy import Host, Workspace, provides_hosts

_SHARED = {"read": True}


class ClusterHosts:
    """The clusters that are registered."""

    def find(self, session: Session, cluster_id: UUID) -> Host | None:
        """Return a cluster, which cannot be removed before the transaction has ended."""
        cluster = session.get(Cluster, cluster_id, with_for_update=_SHARED)
        return None if cluster is None else _host_of(cluster)

    def choose(self, session: Session, organization_id: UUID, may_use: Callable[[UUID], bool]) -> Host | None:
        """Return the connected cluster of an organization that has the fewest workspaces, of those that may be used."""
        load = select(func.count()).where(Workspace.host_id == Cluster.id).scalar_subquery()
        mine = select(Cluster.id).where(Cluster.organization_id == organization_id, Cluster.status == CONNECTED)
        usable = filter(may_use, session.scalars(mine.order_by(load, Cluster.id)))
        return next((host for cluster_id in usable if (host := self.find(session, cluster_id))), None)

    def connected(self, session: Session, cluster_ids: Collection[UUID]) -> set[UUID]:
        """Return which of some clusters are connected."""
        found = select(Cluster.id).where(Cluster.id.in_(cluster_ids), Cluster.status == CONNECTED)
        return set(session.scalars(found))


def _host_of(cluster: Cluster) -> Host:
    reason = None if cluster.status == CONNECTED else f"it is {cluster.status}"
    return Host(cluster.id, cluster.organization_id, reason)


@before_deletion
def refuse_with_workspaces(session: Session, cluster: Cluster) -> None:
    """Keep a cluster that workspaces have a place on: nobody else could clear them away."""
    count = session.execute(select(func.count()).where(Workspace.host_id == cluster.id)).scalar_one()
    if count:
        raise ClusterInUse("There are workspaces on this cluster; delete them first.", workspaces=count)


# Tenancy holds the column and does not know this room.
table_of(Workspace).append_constraint(ForeignKeyConstraint(["host_id"], ["clusters.id"], ondelete="RESTRICT"))
provides_hosts(ClusterHosts())
