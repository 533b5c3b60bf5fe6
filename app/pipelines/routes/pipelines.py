"""Pipelines: list, create, read, replace, change, delete, validate."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select

from app.http import load, principal, public, read_json, requires, transaction
from app.pipelines import service
from app.pipelines.definition import DefinitionInvalid, json_schema, parse, planned_names
from app.pipelines.models import Pipeline, Schedule
from app.pipelines.routes.base import blueprint
from app.pipelines.routes.bodies import BODY_DOC, PATCH_DOC, executors, fault_view, patched, read_source, read_text
from app.pipelines.schemas import PipelineFilterSchema, PipelineSchema, ScheduleSchema, ValidationSchema
from app.tenancy import Workspace


@blueprint.route("/workspaces/<uuid:workspace_id>/pipelines")
class Pipelines(MethodView):
    """The pipelines of a workspace."""

    @blueprint.paged(
        PipelineSchema,
        filters=PipelineFilterSchema,
        sort={"created_at": Pipeline.created_at, "name": Pipeline.name},
        default="-created_at",
    )
    @requires("pipelines:read")
    def get(self, filters: dict[str, Any], workspace_id: UUID) -> Select[Pipeline]:
        """List the pipelines of a workspace."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        pipelines = select(Pipeline).where(Pipeline.workspace_id == workspace_id)
        if "search" in filters:
            pipelines = pipelines.where(Pipeline.name.icontains(filters["search"], autoescape=True))
        return pipelines

    @blueprint.doc(**BODY_DOC)
    @blueprint.response(201, PipelineSchema)
    @requires("pipelines:write")
    def post(self, workspace_id: UUID) -> Pipeline:
        """Create a pipeline from its definition, in YAML or JSON."""
        source = read_source()
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id)
            return service.create_pipeline(session, workspace, source, principal())


@blueprint.route("/pipelines/<uuid:pipeline_id>")
class OnePipeline(MethodView):
    """One pipeline."""

    @blueprint.response(200, PipelineSchema)
    @requires("pipelines:read")
    def get(self, pipeline_id: UUID) -> Pipeline:
        """Read a pipeline."""
        with transaction() as session:
            return load(session, Pipeline, pipeline_id)

    @blueprint.doc(**BODY_DOC)
    @blueprint.response(200, PipelineSchema)
    @blueprint.refuses(409, 422)
    @requires("pipelines:write")
    def put(self, pipeline_id: UUID) -> Pipeline:
        """Replace the definition; executions that were started keep their frozen plan."""
        source = read_source()
        with transaction() as session:
            pipeline = load(session, Pipeline, pipeline_id, for_update=True)
            return service.replace_definition(session, pipeline, source, principal())

    @blueprint.doc(**PATCH_DOC)
    @blueprint.response(200, PipelineSchema)
    @blueprint.refuses(409, 422)
    @requires("pipelines:write")
    def patch(self, pipeline_id: UUID) -> Pipeline:
        """Change parts of the definition by a JSON merge patch (RFC 7396)."""
        patch = read_json()
        with transaction() as session:
            pipeline = load(session, Pipeline, pipeline_id, for_update=True)
            return service.replace_definition(session, pipeline, patched(pipeline, patch), principal())

    @blueprint.response(204)
    @blueprint.refuses(409)
    @requires("pipelines:write")
    def delete(self, pipeline_id: UUID) -> None:
        """Delete a pipeline with its history."""
        with transaction() as session:
            service.delete_pipeline(session, load(session, Pipeline, pipeline_id, for_update=True))


@blueprint.route("/pipelines/<uuid:pipeline_id>/schedules")
class PipelineSchedules(MethodView):
    """When a pipeline starts by the clock."""

    @blueprint.paged(
        ScheduleSchema,
        sort={"next_at": Schedule.next_at, "created_at": Schedule.created_at},
        default="created_at",
    )
    @requires("pipelines:read")
    def get(self, pipeline_id: UUID) -> Select[Schedule]:
        """List the schedules of a pipeline: when each is due next, and what became of it last."""
        with transaction() as session:
            load(session, Pipeline, pipeline_id)
        return select(Schedule).where(Schedule.pipeline_id == pipeline_id)


@blueprint.route("/pipelines/validate")
class Validate(MethodView):
    """Checking a definition without keeping it."""

    @blueprint.doc(**BODY_DOC)
    @blueprint.response(200, ValidationSchema)
    @requires("pipelines:read")
    def post(self) -> dict[str, Any]:
        """Tell what is wrong with a definition, fault by fault, and which stages it would run."""
        text, form = read_text()
        try:
            definition = parse(text, form, executors=executors())
        except DefinitionInvalid as error:
            return {"valid": False, "name": None, "stages": [], "faults": [fault_view(one) for one in error.faults]}
        stages = [name for stage in definition.stages for name in planned_names(stage)]
        return {"valid": True, "name": definition.name, "stages": stages, "faults": []}


@blueprint.route("/schemas/pipeline.json")
class PipelineJsonSchema(MethodView):
    """The published schema of definitions, for editors."""

    @blueprint.raw("application/schema+json")
    @public
    def get(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of headrace.yml."""
        return json_schema()
