"""What follows from a check of a cluster: its status, when it is checked again, and what is told of it.

The session comes first; nothing here commits.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session, lazyload

from app.clusters.events import ClusterHealthChanged
from app.clusters.models import CONNECTED, DISCONNECTED, ERROR, PENDING, Cluster, ClusterCheck, ClusterHealth
from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.events import announce

CHECKED: Final = (PENDING, CONNECTED, ERROR, DISCONNECTED)
UNREACHABLE: Final = "CLUSTER_UNREACHABLE"
# So many failures in a row, of which backoff makes about an hour, and it counts as gone.
GIVEN_UP: Final = 10
HISTORY: Final = timedelta(hours=6)
LONGEST_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class CheckRules:
    """Seconds between two checks, for one check, and the most between two of a cluster that fails; how many failures in
    a row make an error; seconds between two inventories, and how many objects of a kind one may hold; how many kinds
    are watched at once."""

    interval: float = 60.0
    timeout: float = 5.0
    longest: float = 600.0
    failures: int = 3
    inventory_interval: float = 120.0
    inventory_limit: int = 2000
    watches: int = 32

    def pause(self, failures: int) -> float:
        """Return the seconds until the next check: sooner while a first failure is in doubt, then later and later."""
        if failures == 0:
            return self.interval * random.uniform(0.9, 1.1)  # noqa: S311 - spreads checks, keeps no secret
        if failures < self.failures:
            return self.interval / 4
        return min(self.interval * 2.0 ** min(failures - self.failures, 20), self.longest) * random.uniform(0.8, 1.0)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Found:
    """What one check found. `step` is where it failed: `name`, `connect`, `tls`, `answer`, `authentication`,
    `authorization` or `protocol`; the message holds no secret."""

    healthy: bool
    latency_ms: float | None = None
    version: str | None = None
    step: str | None = None
    code: str | None = None
    message: str | None = None


def record_checks(session: Session, found: Mapping[UUID, Found], rules: CheckRules) -> list[UUID]:
    """Write what checks found, and move the clusters whose status is another by that; returns which these are.

    Clusters that have gone meanwhile, or go, are passed over. A cluster is locked before its health, as everywhere.
    """
    moment = session.execute(select(database_now())).scalar_one()
    found, clusters = _lock_news(session, found, rules)
    mine = select(ClusterHealth).where(ClusterHealth.cluster_id.in_(found)).order_by(ClusterHealth.cluster_id)
    rows = session.scalars(mine.with_for_update().execution_options(populate_existing=True)).all()
    moved = []
    for row in rows:
        one, cluster = found[row.cluster_id], clusters.get(row.cluster_id)
        _write(row, one, moment, rules)
        if cluster is not None and _move(session, cluster, row.failures, one, rules):
            moved.append(row.cluster_id)
    _keep(session, {row.cluster_id: found[row.cluster_id] for row in rows}, moment)
    session.flush()
    return moved


def _lock_news(
    session: Session, found: Mapping[UUID, Found], rules: CheckRules
) -> tuple[dict[UUID, Found], dict[UUID, Cluster]]:
    """Return what counts of what was found, and, locked, the few clusters whose rows will have to change."""
    read = select(Cluster.id, Cluster.status, Cluster.version, ClusterHealth.failures).join(ClusterHealth)
    rows = session.execute(read.where(Cluster.id.in_(found), Cluster.status.in_(CHECKED))).all()
    news = [row.id for row in rows if _is_news(row.status, row.version, row.failures, found[row.id], rules)]
    locked = select(Cluster).where(Cluster.id.in_(news)).order_by(Cluster.id).with_for_update()
    locked = locked.options(lazyload(Cluster.health)).execution_options(populate_existing=True)
    clusters = session.scalars(locked).all() if news else []
    return {row.id: found[row.id] for row in rows}, {cluster.id: cluster for cluster in clusters}


def _is_news(status: str, version: str | None, failures: int, found: Found, rules: CheckRules) -> bool:
    if found.healthy:
        return status != CONNECTED or (found.version is not None and found.version != version)
    return _status_after(status, failures + 1, found, rules) != status


def _write(row: ClusterHealth, found: Found, moment: datetime, rules: CheckRules) -> None:
    row.checked_at = moment
    row.failures = 0 if found.healthy else row.failures + 1
    row.answered_at = moment if found.healthy else row.answered_at
    row.latency_ms, row.step, row.code = found.latency_ms, found.step, found.code
    row.message = found.message and found.message[:LONGEST_MESSAGE]
    row.next_check_at = moment + timedelta(seconds=rules.pause(row.failures))
    if found.healthy and row.next_inventory_at is None:
        row.next_inventory_at = moment


def _status_after(status: str, failures: int, found: Found, rules: CheckRules) -> str:
    """Return what a failed check makes of a status."""
    if status == PENDING or (status == CONNECTED and failures >= rules.failures):
        return ERROR
    gone = found.code == UNREACHABLE
    if status == ERROR and gone and failures >= GIVEN_UP:
        return DISCONNECTED
    return ERROR if status == DISCONNECTED and not gone else status


def _move(session: Session, cluster: Cluster, failures: int, found: Found, rules: CheckRules) -> bool:
    before = cluster.status
    if before not in CHECKED:
        return False
    after = CONNECTED if found.healthy else _status_after(before, failures, found, rules)
    reason = found.message or "It does not answer."
    if found.healthy:
        cluster.connect(found.version)
    elif after != before:
        (cluster.lose if after == DISCONNECTED else cluster.fail)(reason)
    if after == before:
        return False
    whose = (cluster.organization_id, cluster.id)
    announce(session, ClusterHealthChanged(*whose, before, after, cluster.status_reason, found.step, found.code))
    return True


def _keep(session: Session, found: Mapping[UUID, Found], moment: datetime) -> None:
    """Add to the history of the clusters, and forget what is old of it."""
    if not found:
        return
    rows = [{"cluster_id": cluster_id, "at": moment, **_kept(one)} for cluster_id, one in sorted(found.items())]
    session.execute(insert(table_of(ClusterCheck)), rows)
    old = (ClusterCheck.cluster_id.in_(found), ClusterCheck.at < moment - HISTORY)
    session.execute(delete(ClusterCheck).where(*old).execution_options(synchronize_session=False))


def _kept(found: Found) -> dict[str, Any]:
    kept = asdict(found)
    del kept["version"]
    return kept | {"message": found.message and found.message[:LONGEST_MESSAGE]}
