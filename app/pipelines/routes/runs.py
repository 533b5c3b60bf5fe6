"""Running again: an execution or one of its stages, and what became of earlier attempts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select

from app.http import Reply, accepted, load, principal, requires, transaction
from app.pipelines import retrying, views
from app.pipelines.models import Execution, StepAttempt
from app.pipelines.routes.base import blueprint
from app.pipelines.run_schemas import AttemptFilterSchema, RetrySchema, StepAttemptSchema
from app.pipelines.schemas import ExecutionDetailSchema


@blueprint.route("/executions/<uuid:execution_id>/retry")
class ExecutionRetry(MethodView):
    """Retrying."""

    @blueprint.arguments(RetrySchema)
    @blueprint.response(202, ExecutionDetailSchema)
    @requires("executions:retry")
    def post(self, body: dict[str, Any], execution_id: UUID) -> Reply:
        """Run the stages that did not succeed again, or all, by the same frozen plan; old logs are kept."""
        with transaction() as session:
            execution = load(session, Execution, execution_id)
            retrying.retry_execution(session, execution, principal().user_id, whole=body["stages"] == "all")
            return accepted(views.execution_view(session, execution), execution.job_id)


@blueprint.route("/executions/<uuid:execution_id>/stages/<stage>/retry")
class StageRetry(MethodView):
    """Retrying one stage."""

    @blueprint.response(202, ExecutionDetailSchema)
    @blueprint.refuses(422)
    @requires("executions:retry")
    def post(self, execution_id: UUID, stage: str) -> Reply:
        """Run one stage again, and all that depends on it, by the same frozen plan; old logs are kept."""
        with transaction() as session:
            execution = load(session, Execution, execution_id)
            retrying.retry_stage(session, execution, stage, principal().user_id)
            return accepted(views.execution_view(session, execution), execution.job_id)


@blueprint.route("/executions/<uuid:execution_id>/attempts")
class Attempts(MethodView):
    """Earlier attempts."""

    @blueprint.paged(
        StepAttemptSchema,
        filters=AttemptFilterSchema,
        sort={"started_at": StepAttempt.started_at},
        default="started_at",
    )
    @requires("executions:read")
    def get(self, filters: dict[str, Any], execution_id: UUID) -> Select[StepAttempt]:
        """List how earlier attempts of the steps ended; the newest of each step is in the execution itself."""
        with transaction() as session:
            load(session, Execution, execution_id)
        rows = select(StepAttempt).where(StepAttempt.execution_id == execution_id)
        return rows.where(*(getattr(StepAttempt, f"{name}_name") == value for name, value in filters.items()))
