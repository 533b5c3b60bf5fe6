"""Executions: start, list, read, follow, cancel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import EventSchema, Reply, accepted, load, open_stream, principal, requires, transaction, wants_json
from app.kernel.handover import StreamRequest
from app.kernel.principal import places_of
from app.kernel.stream import delivered, events_after
from app.pipelines import queries, service, trust, views
from app.pipelines.models import Execution, Pipeline
from app.pipelines.routes.base import blueprint
from app.pipelines.routes.bodies import refuse_unplaced
from app.pipelines.schemas import (
    ExecutionDetailSchema,
    ExecutionFilterSchema,
    ExecutionSchema,
    StartSchema,
)
from app.tenancy import Workspace

ENDS = ("execution.finished",)
SORT = {"created_at": Execution.created_at, "finished_at": Execution.finished_at, "number": Execution.number}


@blueprint.route("/pipelines/<uuid:pipeline_id>/executions")
class PipelineExecutions(MethodView):
    """The executions of a pipeline."""

    @blueprint.paged(ExecutionSchema, filters=ExecutionFilterSchema, sort=SORT, default="-created_at")
    @requires("executions:read")
    def get(self, filters: dict[str, Any], pipeline_id: UUID) -> Select[Execution]:
        """List the executions of a pipeline."""
        with transaction() as session:
            load(session, Pipeline, pipeline_id)
        return queries.filter_executions(
            queries.visible_executions(principal()), filters | {"pipeline_id": pipeline_id}
        )

    @blueprint.arguments(StartSchema)
    @blueprint.response(202, ExecutionDetailSchema)
    @requires("executions:run")
    def post(self, body: dict[str, Any], pipeline_id: UUID) -> Reply:
        """Start an execution: the plan is frozen now, the work is done by workers."""
        with transaction() as session:
            pipeline = load(session, Pipeline, pipeline_id)
            workspace = session.get_one(Workspace, pipeline.workspace_id)
            refuse_unplaced(pipeline, workspace)
            started = service.start_execution(session, pipeline, workspace, service.Start(**body), principal())
        return accepted(views.started_view(started), started.execution.job_id)


@blueprint.route("/executions")
class Executions(MethodView):
    """All executions the caller may see."""

    @blueprint.paged(ExecutionSchema, filters=ExecutionFilterSchema, sort=SORT, default="-created_at")
    @requires("executions:read")
    def get(self, filters: dict[str, Any]) -> Select[Execution]:
        """List executions, newest first."""
        return queries.filter_executions(queries.visible_executions(principal()), filters)


@blueprint.route("/executions/<uuid:execution_id>")
class OneExecution(MethodView):
    """One execution."""

    @blueprint.response(200, ExecutionDetailSchema)
    @requires("executions:read")
    def get(self, execution_id: UUID) -> dict[str, Any]:
        """Read an execution with its stages and steps."""
        with transaction() as session:
            return views.execution_view(session, load(session, Execution, execution_id))


@blueprint.route("/executions/<uuid:execution_id>/events")
class ExecutionEvents(MethodView):
    """What happened in one execution."""

    @blueprint.response(200, EventSchema(many=True))
    @blueprint.streams
    @requires("executions:read")
    def get(self, execution_id: UUID) -> Any:
        """Follow an execution by server-sent events, or list its history with `Accept: application/json`."""
        with transaction() as session:
            execution = load(session, Execution, execution_id)
            if wants_json():
                events = session.execute(events_after(execution.topic, 0, 1000)).scalars()
                return [delivered(event).as_json() for event in events]
        return open_stream(StreamRequest("events", (execution.topic,), ENDS, places_of(execution)))


@blueprint.route("/executions/<uuid:execution_id>/cancel")
class ExecutionCancel(MethodView):
    """Cancelling."""

    @blueprint.response(202, ExecutionDetailSchema)
    @requires("executions:cancel")
    def post(self, execution_id: UUID) -> Reply:
        """Cancel an execution; running steps are stopped, whole process trees, within two seconds."""
        with transaction() as session:
            execution = load(session, Execution, execution_id)
            service.cancel_execution(session, execution, principal().user_id)
            return accepted(views.execution_view(session, execution), execution.job_id)


@blueprint.route("/executions/<uuid:execution_id>/trust")
class ExecutionTrust(MethodView):
    """Approving code of a fork."""

    @blueprint.response(202, ExecutionDetailSchema)
    @blueprint.refuses(422)
    @requires("executions:approve")
    def post(self, execution_id: UUID) -> Reply:
        """Start an execution of a fork's pull request over, as a new one whose steps get the secrets they name."""
        with transaction() as session:
            execution = load(session, Execution, execution_id)
            started = trust.trust_execution(session, execution, principal().user_id)
        return accepted(views.started_view(started), started.execution.job_id)
