"""A cluster as it was last seen, for whoever looks for what is wrong with it: of its pods only those that may be.

The session comes first; no cluster is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Numeric, and_, cast, func, or_, select, tuple_, union
from sqlalchemy.orm import Session

from app.clusters.inventory import Key, Seen
from app.clusters.models import (
    AUTOSCALERS,
    CERTIFICATES,
    CLAIMS,
    CONNECTED,
    DEPLOYMENTS,
    DISCONNECTED,
    ERROR,
    EVENTS,
    JOBS,
    KINDS,
    NAMESPACES,
    NODES,
    PODS,
    QUOTAS,
    Cluster,
    ClusterInventory,
    ClusterObject,
)

WELL: Final = ("Running", "Succeeded", "Completed", "Terminating")
MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Observation:
    """`objects` by kind, and the kinds among them that were seen not long ago: of the others nobody knows how they are
    now. `lost_at` is when the cluster last answered, where it does so no more."""

    cluster_id: UUID
    organization_id: UUID
    name: str
    status: str
    objects: Mapping[str, Sequence[Seen]] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    lost_at: datetime | None = None
    reason: str | None = None


def clusters_to_observe(session: Session, after: UUID | None, limit: int) -> list[UUID]:
    """Return some clusters that were asked already, in the order of their ids."""
    rows = select(Cluster.id).where(Cluster.status.in_((CONNECTED, ERROR, DISCONNECTED))).order_by(Cluster.id)
    rows = rows if after is None else rows.where(Cluster.id > after)
    return list(session.scalars(rows.limit(limit)))


def find_doubtful(session: Session, cluster_ids: Collection[UUID]) -> set[UUID]:
    """Return those of some clusters that do not answer, or on which something may be wrong by the look of it."""
    lost = select(Cluster.id).where(Cluster.id.in_(cluster_ids), Cluster.status != CONNECTED)
    kind, status, data = ClusterObject.kind, ClusterObject.status, ClusterObject.data
    bad = or_(
        and_(kind == NODES, or_(status != "Ready", func.jsonb_array_length(data["pressures"]) > 0)),
        and_(kind == PODS, or_(*_may_be_wrong())),
        and_(kind.in_((DEPLOYMENTS, JOBS)), status == "Failed"),
        and_(kind == AUTOSCALERS, status == "Limited"),
        kind.in_((QUOTAS, CERTIFICATES)),
    )
    found = select(ClusterObject.cluster_id).where(ClusterObject.cluster_id.in_(cluster_ids), bad)
    return set(session.scalars(union(lost, found)))


def observation_of(
    session: Session, cluster_id: UUID, now: datetime, named: Collection[Key] = (), patience: float = 600.0
) -> Observation | None:
    """Return how a cluster was last seen, with the pods that are `named` in any case; a kind that was not seen for
    `patience` seconds, or could not be listed, is not fresh. None where the cluster is gone."""
    cluster = session.get(Cluster, cluster_id)
    if cluster is None:
        return None
    is_up = cluster.status == CONNECTED
    objects, unread = _read(session, cluster_id, named)
    return Observation(
        cluster_id=cluster.id,
        organization_id=cluster.organization_id,
        name=cluster.name,
        status=cluster.status,
        objects=objects,
        fresh=_fresh(session, cluster_id, now - timedelta(seconds=patience)) - unread if is_up else frozenset(),
        lost_at=None if is_up else cluster.health.answered_at,
        reason=cluster.status_reason,
    )


def _fresh(session: Session, cluster_id: UUID, since: datetime) -> frozenset[str]:
    mine = (ClusterInventory.cluster_id == cluster_id, ClusterInventory.observed_at >= since)
    return frozenset(session.scalars(select(ClusterInventory.kind).where(*mine, ClusterInventory.error.is_(None))))


def _read(session: Session, cluster_id: UUID, named: Collection[Key]) -> tuple[dict[str, list[Seen]], frozenset[str]]:
    """Return the objects that matter, at most MOST of them, and the kinds of which they are not all."""
    kind = ClusterObject.kind
    rows = select(ClusterObject).where(ClusterObject.cluster_id == cluster_id, _matters(cluster_id, named))
    rows = rows.order_by(kind, ClusterObject.namespace, ClusterObject.name).limit(MOST)
    found: dict[str, list[Seen]] = {}
    # Whole rows of the ORM would be kept in the session, with a subselect each.
    columns = (ClusterObject.namespace, ClusterObject.name, ClusterObject.status, ClusterObject.data)
    for name, *said in session.execute(rows.with_only_columns(kind, *columns, ClusterObject.created_at)):
        found.setdefault(name, []).append(Seen(*said))
    is_cut = sum(map(len, found.values())) == MOST
    return found, frozenset(name for name in KINDS if is_cut and name >= max(found))


def _may_be_wrong() -> list[ColumnElement[bool]]:
    """What is said of a pod that is not simply well."""
    # A server may say any number: one beyond an integer would fail the look at all clusters that are read with it.
    restarts = cast(ClusterObject.data["restarts"].astext, Numeric)
    return [ClusterObject.status.is_(None), ClusterObject.status.not_in(WELL), restarts > 0]


def _matters(cluster_id: UUID, named: Collection[Key]) -> ColumnElement[bool]:
    kind, data = ClusterObject.kind, ClusterObject.data
    bad = select(ClusterObject.name).where(ClusterObject.cluster_id == cluster_id, kind == NODES)
    bad = bad.where(ClusterObject.status != "Ready").correlate(None)
    doubtful = [*_may_be_wrong(), data["node"].astext.in_(bad)]
    if named:
        doubtful.append(tuple_(ClusterObject.namespace, ClusterObject.name).in_(list(named)))
    return or_(
        kind.not_in((PODS, EVENTS, NAMESPACES, CLAIMS)),
        and_(kind == EVENTS, ClusterObject.status == "Warning"),
        and_(kind == PODS, or_(*doubtful)),
    )
