"""What of workspaces on clusters is not kept for ever: each function deletes some rows and says how many, to be called
until none."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, delete, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.kernel.clock import database_now, sql_days
from app.tenancy.models import Provisioning, SpaceRepair, Workspace, WorkspaceCredential

AT_ONCE: Final = 1000
# Somebody who undoes what the platform repairs makes one each minute.
MOST_REPAIRS: Final = 1000


def forget_operations(session: Session, days: int) -> int:
    """Delete operations that ended so many days ago; the newest on a workspace or project that is there is kept."""
    later = aliased(Provisioning)
    is_superseded = exists().where(
        later.workspace_id == Provisioning.workspace_id,
        later.project_id.is_not_distinct_from(Provisioning.project_id),
        later.created_at > Provisioning.created_at,
    )
    is_left = ~exists().where(Workspace.id == Provisioning.workspace_id)
    old = Provisioning.finished_at < database_now() - sql_days(days)
    return _forget(session, Provisioning.id, select(Provisioning.id).where(old, or_(is_superseded, is_left)))


def forget_repairs(session: Session, days: int) -> int:
    """Delete what was repaired so many days ago."""
    old = SpaceRepair.created_at < database_now() - sql_days(days)
    return _forget(session, SpaceRepair.id, select(SpaceRepair.id).where(old))


def forget_many_repairs(session: Session) -> int:
    """Delete all but the newest repairs of each workspace."""
    newest_first = (SpaceRepair.created_at.desc(), SpaceRepair.id.desc())
    place = func.row_number().over(partition_by=SpaceRepair.workspace_id, order_by=newest_first)
    placed = select(SpaceRepair.id, place.label("place")).subquery()
    return _forget(session, SpaceRepair.id, select(placed.c.id).where(placed.c.place > MOST_REPAIRS))


def forget_expired_kubeconfigs(session: Session) -> int:
    """Delete kubeconfigs whose time is over."""
    over = delete(WorkspaceCredential).where(WorkspaceCredential.expires_at < database_now())
    return len(session.execute(over.returning(WorkspaceCredential.user_id)).all())


def _forget(session: Session, key: InstrumentedAttribute[Any], which: Select[Any]) -> int:
    some = delete(key.class_).where(key.in_(which.limit(AT_ONCE))).execution_options(synchronize_session=False)
    return int(session.execute(some).rowcount)  # type: ignore[attr-defined]
