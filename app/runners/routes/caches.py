"""Caches of a stage that a runner has: found, brought, kept. Whose they are the platform says, not the runner."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView

from app.http import FILE_DOC, platform, send_blob
from app.kernel.errors import NotFound, Refusal
from app.kernel.ids import new_id
from app.kernel.store import BlobStore
from app.pipelines import StoredCache, find_cache, has_cache, keep_cache, may_read_cache, read_briefing
from app.runners.routes.artifacts import delete_blobs, store_upload
from app.runners.routes.base import ATTEMPT, by_runner, holding, machines
from app.runners.work_schemas import CacheKeptSchema, CacheQuerySchema, CacheSearchSchema, FoundSchema


@machines.route(f"{ATTEMPT}/caches/find")
class CacheSearch(MethodView):
    """Looking for a cache."""

    @machines.arguments(CacheSearchSchema)
    @machines.response(200, FoundSchema)
    @by_runner
    def post(self, body: dict[str, Any], **place: Any) -> dict[str, Any]:
        """Find the cache of a key, else the newest of the first prefix that has any"""
        with holding(place) as (session, held):
            briefing = read_briefing(session, held.stage)
            if body["own"] and not has_cache(session, briefing, body["key"]):
                return {"cache": None}
            return {"cache": find_cache(session, briefing, body["key"], body["prefixes"])}


@machines.route(f"{ATTEMPT}/caches/<uuid:cache_id>")
class OneCache(MethodView):
    """A cache that was found."""

    @machines.raw("application/octet-stream")
    @machines.refuses(409)
    @by_runner
    def get(self, cache_id: UUID, **place: Any) -> Response:
        """Download a cache's archive"""
        with holding(place) as (session, held):
            found = session.get(StoredCache, cache_id)
            if found is None or not may_read_cache(session, read_briefing(session, held.stage), found):
                raise NotFound(resource_type="cache", resource_id=str(cache_id))
        store = BlobStore(platform().artifact_store)
        return send_blob(store, found.blob, name="cache", size=found.size, etag=found.sha256)


@machines.route(f"{ATTEMPT}/caches")
class NewCache(MethodView):
    """A cache to keep."""

    @machines.arguments(CacheQuerySchema, location="query")
    @machines.response(200, CacheKeptSchema)
    @machines.refuses(409, 411, 413)
    @machines.doc(**FILE_DOC)
    @by_runner
    def put(self, query: dict[str, Any], **place: Any) -> dict[str, Any]:
        """Keep an archive under a key, for the branch, tag or pull request of the run alone"""
        with holding(place) as (_, held):
            workspace_id = held.job.workspace_id
        blob = f"caches/{workspace_id}/{new_id()}"
        stored = store_upload(place, blob)
        values = {"blob": blob, "size": stored.size, "sha256": stored.sha256, **query}
        kept = _keep(place, values)
        if not kept:
            delete_blobs([blob])
        return {"kept": kept}


def _keep(place: dict[str, Any], values: dict[str, Any]) -> bool:
    """Let an archive be found. Nobody reaches what came too late: its bytes go again."""
    try:
        with holding(place) as (session, held):
            return keep_cache(session, read_briefing(session, held.stage), **values)
    except Refusal:
        delete_blobs([values["blob"]])
        raise
