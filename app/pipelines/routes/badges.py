"""Badges of pipelines, for pages elsewhere."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from flask import Response, request
from flask.views import MethodView
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.http import platform, public, transaction
from app.kernel.errors import NotFound
from app.kernel.principal import places_of
from app.pipelines.badges import draw_badge
from app.pipelines.models import FINAL, Execution, Pipeline
from app.pipelines.routes.base import blueprint
from app.pipelines.settings import read_settings
from app.pipelines.settings_schemas import BadgeQuerySchema
from app.tenancy import Workspace

SVG = "image/svg+xml"
SECONDS = 60


@blueprint.route("/pipelines/<uuid:pipeline_id>/badge.svg")
class Badge(MethodView):
    """A pipeline's badge."""

    @blueprint.arguments(BadgeQuerySchema, location="query", required=False)
    @blueprint.raw(SVG)
    @blueprint.refuses(401)
    @public
    def get(self, query: dict[str, Any], pipeline_id: UUID) -> Response:
        """Draw how the newest run of a branch ended: for all if the workspace says so, else for who may read it."""
        with transaction() as session:
            pipeline, is_public = _find(session, pipeline_id)
            branch = query["branch"] or session.get_one(Workspace, pipeline.workspace_id).branch
            return _answer(draw_badge(pipeline.name, _newest(session, pipeline_id, branch)), is_public=is_public)


def _find(session: Session, pipeline_id: UUID) -> tuple[Pipeline, bool]:
    """Return a pipeline whose badge the caller may see; one that they may not see does not exist."""
    named = any(name in request.headers for name in ("Authorization", "X-API-Key"))
    caller = platform().authenticate(request) if named else None
    pipeline = session.get(Pipeline, pipeline_id)
    if pipeline is not None:
        if read_settings(session, pipeline.workspace_id).badge_public:
            return pipeline, True
        if caller is not None and caller.may("pipelines:read", *places_of(pipeline)):
            return pipeline, False
    raise NotFound(resource_type="pipeline", resource_id=str(pipeline_id))


def _newest(session: Session, pipeline_id: UUID, branch: str) -> str | None:
    mine = select(Execution.status).where(Execution.pipeline_id == pipeline_id, Execution.branch == branch)
    newest = mine.order_by(Execution.created_at.desc(), Execution.id.desc()).limit(1)
    return session.scalar(newest.where(Execution.status.in_(FINAL))) or session.scalar(newest)


def _answer(drawn: str, *, is_public: bool) -> Response:
    response = Response(drawn, content_type=SVG)
    response.headers["Cache-Control"] = f"{'public' if is_public else 'private'}, max-age={SECONDS}"
    # A badge is made to be shown by the pages of others.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.set_etag(hashlib.sha256(drawn.encode()).hexdigest()[:32])
    response.make_conditional(request)
    return response
