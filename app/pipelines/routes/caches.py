"""Caches of a workspace: to look at, and to delete when one is bad."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, requires, transaction
from app.pipelines import caches
from app.pipelines.cache_schemas import CacheFilterSchema, CacheSchema, ForgottenSchema
from app.pipelines.models import StoredCache
from app.pipelines.routes.base import blueprint
from app.tenancy import Workspace

SORT = {
    "created_at": StoredCache.created_at,
    "used_at": StoredCache.used_at,
    "size": StoredCache.size,
    "key": StoredCache.key,
}


@blueprint.route("/workspaces/<uuid:workspace_id>/caches")
class Caches(MethodView):
    """The caches of a workspace."""

    @blueprint.paged(CacheSchema, filters=CacheFilterSchema, sort=SORT, default="-used_at")
    @requires("artifacts:read")
    def get(self, filters: dict[str, Any], workspace_id: UUID) -> Select[StoredCache]:
        """List a workspace's caches, those used last first."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return caches.select_caches(workspace_id, **filters)

    @blueprint.arguments(CacheFilterSchema, location="query")
    @blueprint.response(200, ForgottenSchema)
    @requires("artifacts:delete")
    def delete(self, filters: dict[str, Any], workspace_id: UUID) -> dict[str, int]:
        """Delete a workspace's caches, all or those the filters name; later runs make them anew."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
            return {"deleted": caches.forget_caches(session, caches.select_caches(workspace_id, **filters))}


@blueprint.route("/workspaces/<uuid:workspace_id>/caches/<uuid:cache_id>")
class OneCache(MethodView):
    """One cache."""

    @blueprint.response(204)
    @requires("artifacts:delete")
    def delete(self, workspace_id: UUID, cache_id: UUID) -> None:
        """Delete a cache."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
            caches.forget_cache(session, workspace_id, cache_id)
