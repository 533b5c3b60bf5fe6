"""Caches: who reads which, kept once, forgotten by age and room. The session comes first; nothing here commits.

A run reads what its own branch wrote and what the workspace's default branch wrote; it writes for its own branch alone.
So neither a branch nor a pull request changes what the default branch finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.errors import NotFound
from app.kernel.ids import new_id
from app.pipelines.definition import Plan
from app.pipelines.models import StoredCache
from app.pipelines.recording import Briefing
from app.tenancy import Workspace

BATCH = 200


def scope_of(plan: Plan, *, trusted: bool) -> str:
    """Return for whom a run writes: its branch, its tag, or its pull request.

    Code of a fork that nobody has approved has a scope of its own, which the approved run with its secrets never reads.
    """
    if not trusted:
        return f"fork:{plan.branch or ''}"
    if plan.pull_request is not None:
        return f"pull:{plan.pull_request.number}"
    return f"tag:{plan.tag}" if plan.tag else f"branch:{plan.branch or ''}"


def find_cache(session: Session, briefing: Briefing, key: str, prefixes: Sequence[str]) -> StoredCache | None:
    """Return the cache of exactly that key, else the newest of the first prefix that has any, and note its use.

    The run's own scope goes before the default branch's.
    """
    scopes = _scopes(session, briefing)
    for condition in (StoredCache.key == key, *(StoredCache.key.startswith(one, autoescape=True) for one in prefixes)):
        for scope in scopes:
            found = session.scalar(
                _kept(briefing.workspace_id)
                .where(StoredCache.scope == scope, condition)
                .order_by(StoredCache.created_at.desc())
                .limit(1)
            )
            if found is not None:
                found.used_at = func.clock_timestamp()
                session.flush()
                session.refresh(found)
                return found
    return None


def may_read_cache(session: Session, briefing: Briefing, cache: StoredCache) -> bool:
    """Tell whether a run reads a cache: one of its own scope, or of the default branch's."""
    is_kept = cache.workspace_id == briefing.workspace_id and cache.deleted_at is None
    return is_kept and cache.scope in _scopes(session, briefing)


def has_cache(session: Session, briefing: Briefing, key: str) -> bool:
    """Tell whether the run's own scope has that key, which is then not written again."""
    own = _kept(briefing.workspace_id).where(
        StoredCache.scope == scope_of(briefing.plan, trusted=briefing.trusted), StoredCache.key == key
    )
    return session.scalar(own.limit(1)) is not None


def keep_cache(session: Session, briefing: Briefing, **values: Any) -> bool:
    """Let a stored archive be found; False when another run was first."""
    row = {
        "id": new_id(),
        "organization_id": briefing.organization_id,
        "workspace_id": briefing.workspace_id,
        "scope": scope_of(briefing.plan, trusted=briefing.trusted),
        **values,
    }
    written = session.execute(insert(StoredCache).values(row).on_conflict_do_nothing().returning(StoredCache.id))
    return written.scalar_one_or_none() is not None


def select_caches(workspace_id: UUID, *, key: str | None = None, scope: str | None = None) -> Select[StoredCache]:
    """Select a workspace's caches; `key` is a beginning."""
    found = _kept(workspace_id)
    if key is not None:
        found = found.where(StoredCache.key.startswith(key, autoescape=True))
    return found if scope is None else found.where(StoredCache.scope == scope)


def forget_caches(session: Session, selected: Select[StoredCache]) -> int:
    """Delete the selected caches; nobody finds them from now on."""
    ids = selected.with_only_columns(StoredCache.id)
    gone = update(StoredCache).where(StoredCache.id.in_(ids)).values(deleted_at=func.clock_timestamp())
    return len(session.execute(gone.returning(StoredCache.id)).all())


def forget_cache(session: Session, workspace_id: UUID, cache_id: UUID) -> None:
    """Delete one cache; raises NotFound."""
    if not forget_caches(session, _kept(workspace_id).where(StoredCache.id == cache_id)):
        raise NotFound(resource_type="cache", resource_id=str(cache_id))


def overdue_caches(session: Session, days: int, most_bytes: int) -> list[StoredCache]:
    """Return some caches that are to go: deleted, unused for `days`, or beyond the room of a workspace."""
    room = (
        select(
            StoredCache.id,
            func.sum(StoredCache.size)
            .over(partition_by=StoredCache.workspace_id, order_by=(StoredCache.used_at.desc(), StoredCache.id))
            .label("taken"),
        )
        .where(StoredCache.deleted_at.is_(None))
        .subquery()
    )
    beyond = select(room.c.id).where(room.c.taken > most_bytes)
    old = StoredCache.used_at < database_now() - timedelta(days=days)
    due = select(StoredCache).where(or_(StoredCache.deleted_at.is_not(None), old, StoredCache.id.in_(beyond)))
    return list(session.scalars(due.order_by(StoredCache.used_at).limit(BATCH)))


def remove_caches(session: Session, ids: Sequence[UUID]) -> None:
    """Remove the rows of caches whose bytes are gone."""
    session.execute(delete(StoredCache).where(StoredCache.id.in_(ids)))


def _kept(workspace_id: UUID) -> Select[StoredCache]:
    return select(StoredCache).where(StoredCache.workspace_id == workspace_id, StoredCache.deleted_at.is_(None))


def _scopes(session: Session, briefing: Briefing) -> list[str]:
    default = session.scalar(select(Workspace.branch).where(Workspace.id == briefing.workspace_id))
    own = scope_of(briefing.plan, trusted=briefing.trusted)
    return list(dict.fromkeys((own, f"branch:{default}")))
