"""Deleting what was kept long enough: first the bytes, then the rows, so that nothing is left that nobody names."""

from __future__ import annotations

from typing import Any

from app.jobs import Run
from app.pipelines import expired_artifacts, forget_deliveries, overdue_caches, remove_caches
from tasks.tools import Tools


def prune_artifacts(run: Run, tools: Tools) -> dict[str, Any]:
    """Delete expired artifacts, some hundreds a transaction; raises StoreAway."""
    deleted = 0
    while True:
        run.check()
        with run.reading() as session:
            expired = expired_artifacts(session)
        if not expired:
            return {"deleted": deleted}
        for artifact in expired:
            tools.artifact_store.delete(artifact.key)
        with run.recording() as (session, _):
            for artifact in expired:
                session.delete(artifact)
        deleted += len(expired)


def prune_caches(run: Run, tools: Tools) -> dict[str, Any]:
    """Delete the caches that are to go, some hundreds a transaction; raises StoreAway."""
    deleted = 0
    while True:
        run.check()
        with run.reading() as session:
            overdue = overdue_caches(session, tools.caches.days, tools.caches.workspace_bytes)
        if not overdue:
            return {"deleted": deleted}
        for cache in overdue:
            tools.artifact_store.delete(cache.blob)
        with run.recording() as (session, _):
            remove_caches(session, [cache.id for cache in overdue])
        deleted += len(overdue)


def prune_deliveries(run: Run, tools: Tools) -> dict[str, Any]:
    """Forget old deliveries, some thousands a transaction."""
    forgotten = 0
    while True:
        run.check()
        with run.recording() as (session, _):
            batch = forget_deliveries(session, tools.history_days)
        if not batch:
            return {"deleted": forgotten}
        forgotten += batch
