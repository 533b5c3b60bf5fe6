"""What is read of clusters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.clusters.errors import ClusterNotReady
from app.clusters.inventory import Seen
from app.clusters.models import CONNECTED, NAMESPACES, Cluster, ClusterCheck, ClusterInventory, ClusterObject
from app.kernel.errors import NotFound
from app.kernel.principal import Principal, namespace_place, places_of
from app.kernel.visibility import visible

EQUAL: Final = ("status", "provider", "region", "organization_id")


def visible_clusters(caller: Principal, filters: Mapping[str, Any]) -> Select[Cluster]:
    """Select the clusters a caller may read; filters: status, provider, region, organization_id, search."""
    rows = select(Cluster).where(visible(caller, "clusters:read", Cluster.organization_id, Cluster.id))
    rows = rows.where(*(getattr(Cluster, name) == filters[name] for name in EQUAL if name in filters))
    if "search" not in filters:
        return rows
    found = (column.icontains(filters["search"], autoescape=True) for column in (Cluster.name, Cluster.description))
    return rows.where(next(found) | next(found))


def find_usable_cluster(
    session: Session, caller: Principal, cluster_id: UUID, organization_id: UUID, permission: str = "clusters:read"
) -> Cluster:
    """Return a connected cluster of an organization on which the caller holds `permission`, locked so that it cannot be
    removed before this transaction has ended.

    Raises NotFound for one that is not there for them, or is another organization's, and ClusterNotReady.
    """
    cluster = session.get(Cluster, cluster_id, with_for_update={"read": True})
    if cluster is None or cluster.organization_id != organization_id or not caller.may(permission, *places_of(cluster)):
        raise NotFound(resource_type="cluster", resource_id=str(cluster_id))
    if cluster.status != CONNECTED:
        raise ClusterNotReady(f"The cluster is {cluster.status}.", status=cluster.status)
    return cluster


def recent_checks(session: Session, cluster_id: UUID, limit: int) -> list[ClusterCheck]:
    """Return the newest checks of a cluster, the newest first."""
    mine = select(ClusterCheck).where(ClusterCheck.cluster_id == cluster_id)
    return list(session.scalars(mine.order_by(ClusterCheck.at.desc()).limit(limit)))


def inventories_of(session: Session, cluster_id: UUID) -> list[ClusterInventory]:
    """Return how current the inventory of each kind is."""
    mine = select(ClusterInventory).where(ClusterInventory.cluster_id == cluster_id)
    return list(session.scalars(mine.order_by(ClusterInventory.kind)))


def read_objects(session: Session, cluster_id: UUID, *kinds: str) -> dict[str, list[Seen]]:
    """Return all objects of some kinds as they were last seen, each kind in the order of places and names."""
    rows = select(ClusterObject).where(ClusterObject.cluster_id == cluster_id, ClusterObject.kind.in_(kinds))
    columns = (ClusterObject.namespace, ClusterObject.name, ClusterObject.status, ClusterObject.data)
    chosen = rows.with_only_columns(ClusterObject.kind, *columns, ClusterObject.created_at)
    found: dict[str, list[Seen]] = {kind: [] for kind in kinds}
    for kind, *said in session.execute(chosen.order_by(ClusterObject.namespace, ClusterObject.name)):
        found[kind].append(Seen(*said))
    return found


def objects_of(
    cluster_id: UUID, kind: str, filters: Mapping[str, Any], namespaces: Collection[str] | None = None
) -> Select[ClusterObject]:
    """Select the objects of a kind as they were last seen, in some namespaces or in all of them; filters: namespace,
    status, search."""
    rows = select(ClusterObject).where(ClusterObject.cluster_id == cluster_id, ClusterObject.kind == kind)
    if namespaces is not None:
        rows = rows.where((ClusterObject.name if kind == NAMESPACES else ClusterObject.namespace).in_(namespaces))
    if "namespace" in filters:
        rows = rows.where(ClusterObject.namespace == filters["namespace"])
    if "status" in filters:
        rows = rows.where(ClusterObject.status == filters["status"])
    if "search" in filters:
        rows = rows.where(ClusterObject.name.icontains(filters["search"], autoescape=True))
    return rows


def namespaces_with(session: Session, caller: Principal, permission: str, cluster_id: UUID) -> list[str]:
    """Return the namespaces in which the caller holds `permission` while they hold it in nothing wider; none where
    they hold it on the whole cluster."""
    cluster = session.get(Cluster, cluster_id)
    if cluster is None or caller.may(permission, *places_of(cluster)):
        return []
    mine = ClusterObject.cluster_id == cluster_id
    named = select(ClusterObject.name).where(mine, ClusterObject.kind == NAMESPACES)
    names = session.scalars(named.union(select(ClusterObject.namespace).where(mine)))
    return sorted(name for name in names if name and caller.may(permission, namespace_place(cluster_id, name)))
