"""Watches: which kinds of objects of which clusters are to be watched now, from where, and keeping what that tells.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from app.clusters.checks import CheckRules
from app.clusters.inventory import Key, Seen, tell_changes, write_some
from app.clusters.models import CONNECTED, NODES, Cluster, ClusterHealth, ClusterInventory, ClusterObject
from app.kernel.clock import database_now, sql_seconds

# Nothing is lost meanwhile: the next watch tells what has happened since. It bounds what a cluster can have written.
PAUSE: Final = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind of objects of a cluster, to be watched from a version on, with what opens the cluster, sealed."""

    cluster_id: UUID
    credentials: bytes
    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class News:
    """What a watch has told since a version: the objects that are others now, None for those that are gone. Without a
    `version` to watch on from they are listed again, `soon` or when it is time."""

    since: str
    version: str | None
    objects: Mapping[Key, Seen | None] = field(default_factory=dict)
    soon: bool = False


def take_due_watches(session: Session, limit: int, lease: float) -> list[Watched]:
    """Take kinds that are to be watched, of clusters that answer; for `lease` seconds nobody else takes them."""
    first = (
        select(ClusterInventory.cluster_id, ClusterInventory.kind)
        .join(ClusterHealth, ClusterHealth.cluster_id == ClusterInventory.cluster_id)
        .join(Cluster, Cluster.id == ClusterInventory.cluster_id)
        .where(ClusterInventory.next_watch_at <= database_now(), ClusterHealth.failures == 0)
        .where(Cluster.status == CONNECTED)
        .order_by(ClusterInventory.next_watch_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=ClusterInventory)
    )
    # As a CTE it is looked for once, as in `due`.
    chosen = first.cte("chosen")
    keys = tuple_(ClusterInventory.cluster_id, ClusterInventory.kind)
    moved = (
        update(ClusterInventory)
        .where(keys.in_(select(chosen.c.cluster_id, chosen.c.kind)))
        .values(next_watch_at=database_now() + sql_seconds(lease))
        .returning(ClusterInventory.cluster_id, ClusterInventory.kind, ClusterInventory.version)
    )
    taken = session.execute(moved.execution_options(synchronize_session=False)).all()
    opened = select(Cluster.id, Cluster.credentials).where(Cluster.id.in_({row.cluster_id for row in taken}))
    sealed = {row.id: row.credentials for row in session.execute(opened)} if taken else {}
    return [
        Watched(row.cluster_id, sealed[row.cluster_id], row.kind, row.version)
        for row in taken
        if row.version and sealed.get(row.cluster_id)
    ]


def record_news(session: Session, cluster_id: UUID, kind: str, news: News, rules: CheckRules) -> int | None:
    """Write what a watch has told, and announce what changed; returns how many objects that were.

    None, and nothing is written, where the cluster is gone or its objects were listed meanwhile: what the list says is
    newer than what the watch began from.
    """
    cluster = session.get(Cluster, cluster_id, with_for_update={"read": True, "key_share": True})
    row = session.get(ClusterInventory, (cluster_id, kind), with_for_update=True, populate_existing=True)
    if cluster is None or row is None or row.version != news.since:
        return None
    moment = session.execute(select(database_now())).scalar_one()
    changes = write_some(session, cluster_id, kind, news.objects)
    row.count += len(changes.added) - len(changes.removed)
    _go_on(session, row, news, moment, rules)
    session.flush()
    if kind == NODES and news.objects:
        _count_nodes(session, cluster_id)
    tell_changes(session, cluster, {kind: changes})
    return len(changes.added) + len(changes.changed) + len(changes.removed)


def _go_on(session: Session, row: ClusterInventory, news: News, moment: datetime, rules: CheckRules) -> None:
    row.truncated = row.count > rules.inventory_limit
    row.version = None if row.truncated else news.version
    row.next_watch_at = None if row.version is None else moment + PAUSE
    if news.version is not None:
        row.observed_at = moment
    if news.soon:
        # Not at once: a server that has forgotten all since the last list may do so each time.
        soon = moment + timedelta(seconds=rules.inventory_interval / 8)
        mine = (ClusterHealth.cluster_id == row.cluster_id, ClusterHealth.next_inventory_at > soon)
        later = update(ClusterHealth).where(*mine).values(next_inventory_at=soon)
        session.execute(later.execution_options(synchronize_session=False))


def _count_nodes(session: Session, cluster_id: UUID) -> None:
    nodes = (ClusterObject.cluster_id == cluster_id, ClusterObject.kind == NODES)
    ready = func.count().filter(ClusterObject.status == "Ready")
    count, good = session.execute(select(func.count(), ready).where(*nodes)).one()
    row = update(ClusterHealth).where(ClusterHealth.cluster_id == cluster_id).values(node_count=count, ready_nodes=good)
    session.execute(row.execution_options(synchronize_session=False))
