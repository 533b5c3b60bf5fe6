"""Deleting what was kept long enough."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from sqlalchemy.orm import Session

from app.jobs import Run
from app.pipelines import StoredCache, expired_artifacts, forget_deliveries, overdue_caches, remove_caches
from tasks.forgetting import forget_all, forget_files
from tasks.tools import Tools


def prune_artifacts(run: Run, tools: Tools) -> dict[str, Any]:
    """Delete expired artifacts, some hundreds a transaction; raises StoreAway."""
    store = tools.artifact_store
    return {"deleted": forget_files(run, store, expired_artifacts, attrgetter("key"), _delete)}


def prune_caches(run: Run, tools: Tools) -> dict[str, Any]:
    """Delete the caches that are to go, some hundreds a transaction; raises StoreAway."""
    overdue = partial(overdue_caches, days=tools.caches.days, most_bytes=tools.caches.workspace_bytes)
    return {"deleted": forget_files(run, tools.artifact_store, overdue, attrgetter("blob"), _remove)}


def prune_deliveries(run: Run, tools: Tools) -> dict[str, Any]:
    """Forget old deliveries, some thousands a transaction."""
    return {"deleted": forget_all(run, partial(forget_deliveries, days=tools.history_days))}


def _delete(session: Session, rows: Sequence[Any]) -> None:
    for row in rows:
        session.delete(row)


def _remove(session: Session, caches: Sequence[StoredCache]) -> None:
    remove_caches(session, [cache.id for cache in caches])
