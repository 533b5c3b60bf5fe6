"""Which clusters are due: taken by moving their next time on, so that any number of sweepers take each once, and one
that is killed loses nothing.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.clusters.models import Cluster, ClusterHealth
from app.kernel.clock import database_now, sql_seconds


@dataclass(frozen=True, slots=True)
class Due:
    """A cluster to be asked now, with what opens it, sealed."""

    cluster_id: UUID
    credentials: bytes


def take_due_checks(session: Session, limit: int, lease: float, *, suspects: bool) -> list[Due]:
    """Take clusters that are to be checked: those that were well, or the `suspects` that failed the last time.

    For `lease` seconds nobody else takes them; whoever records what was found says when they are due next.
    """
    failed = ClusterHealth.failures > 0
    return _take(session, ClusterHealth.next_check_at, failed if suspects else ~failed, limit, lease)


def take_due_inventories(session: Session, limit: int, lease: float) -> list[Due]:
    """Take clusters that are to be looked into, of those that answered the last time."""
    return _take(session, ClusterHealth.next_inventory_at, ClusterHealth.failures == 0, limit, lease)


def _take(
    session: Session, due: InstrumentedAttribute[object], which: ColumnElement[bool], limit: int, lease: float
) -> list[Due]:
    first = (
        select(ClusterHealth.cluster_id)
        .where(due <= database_now(), which)
        .order_by(due)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    # As a CTE it is looked for once; a plan may ask a subquery for each row, and lock others each time.
    chosen = first.cte("chosen")
    moved = update(ClusterHealth).where(ClusterHealth.cluster_id.in_(select(chosen.c.cluster_id)))
    later = database_now() + sql_seconds(lease)
    ids = session.scalars(
        moved.values({due.key: later}).returning(ClusterHealth.cluster_id).execution_options(synchronize_session=False)
    ).all()
    if not ids:
        return []
    opened = select(Cluster.id, Cluster.credentials).where(Cluster.id.in_(ids), Cluster.credentials.is_not(None))
    return [Due(row.id, row.credentials) for row in session.execute(opened)]
