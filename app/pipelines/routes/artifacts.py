"""Artifacts: what an execution kept, to list and to download."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from marshmallow import fields
from sqlalchemy import select

from app.http import Schema, load, platform, requires, send_blob, transaction
from app.kernel.errors import NotFound
from app.kernel.store import BlobStore
from app.pipelines.models import Artifact, Execution
from app.pipelines.routes.base import blueprint
from app.pipelines.schemas import ArtifactSchema
from app.pipelines.views import artifact_view


class WhichSchema(Schema):
    """Which of several artifacts of one name."""

    stage = fields.String(load_default=None, metadata={"description": "the stage that kept it; by default the newest"})


@blueprint.route("/executions/<uuid:execution_id>/artifacts")
class Artifacts(MethodView):
    """The artifacts of an execution."""

    @blueprint.response(200, ArtifactSchema(many=True))
    @requires("executions:read")
    def get(self, execution_id: UUID) -> list[dict[str, Any]]:
        """List the files an execution kept, by stage and name."""
        with transaction() as session:
            load(session, Execution, execution_id)
            kept = select(Artifact).where(Artifact.execution_id == execution_id)
            ordered = session.execute(kept.order_by(Artifact.stage_name, Artifact.name)).scalars()
            return [artifact_view(artifact) for artifact in ordered]


@blueprint.route("/executions/<uuid:execution_id>/artifacts/<path:name>")
class OneArtifact(MethodView):
    """One artifact."""

    @blueprint.arguments(WhichSchema, location="query")
    @blueprint.raw("*/*")
    @requires("executions:read")
    def get(self, query: dict[str, Any], execution_id: UUID, name: str) -> Response:
        """Download an artifact; ranges are honoured."""
        with transaction() as session:
            load(session, Execution, execution_id)
            kept = select(Artifact).where(Artifact.execution_id == execution_id, Artifact.name == name)
            if query["stage"] is not None:
                kept = kept.where(Artifact.stage_name == query["stage"])
            artifact = session.execute(kept.order_by(Artifact.created_at.desc()).limit(1)).scalar_one_or_none()
        if artifact is None:
            raise NotFound(resource_type="artifact", resource_id=name)
        return send_artifact(artifact)


def send_artifact(artifact: Artifact) -> Response:
    """Return the reply that carries an artifact's bytes."""
    return send_blob(
        BlobStore(platform().artifact_store),
        artifact.key,
        name=artifact.name.rpartition("/")[2],
        size=artifact.size,
        etag=artifact.sha256,
        content_type=artifact.content_type,
    )
