"""Approvals: letting a stage that waits run, refusing it, and what was decided before."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select

from app.http import Reply, accepted, load, principal, requires, transaction
from app.pipelines import approvals, views
from app.pipelines.models import Execution, StageApproval
from app.pipelines.routes.base import blueprint
from app.pipelines.run_schemas import DecisionSchema, StageDecisionSchema
from app.pipelines.schemas import ExecutionDetailSchema


@blueprint.route("/executions/<uuid:execution_id>/stages/<stage>/approve")
class StageApprove(MethodView):
    """Approving."""

    @blueprint.arguments(DecisionSchema)
    @blueprint.response(202, ExecutionDetailSchema)
    @requires("executions:approve")
    def post(self, body: dict[str, Any], execution_id: UUID, stage: str) -> Reply:
        """Let a stage that waits for approval run."""
        return _decide(execution_id, stage, approve=True, comment=body["comment"])


@blueprint.route("/executions/<uuid:execution_id>/stages/<stage>/reject")
class StageReject(MethodView):
    """Rejecting."""

    @blueprint.arguments(DecisionSchema)
    @blueprint.response(202, ExecutionDetailSchema)
    @requires("executions:approve")
    def post(self, body: dict[str, Any], execution_id: UUID, stage: str) -> Reply:
        """Fail a stage that waits for approval; it does not run."""
        return _decide(execution_id, stage, approve=False, comment=body["comment"])


@blueprint.route("/executions/<uuid:execution_id>/approvals")
class Approvals(MethodView):
    """What was decided."""

    @blueprint.paged(StageDecisionSchema, sort={"requested_at": StageApproval.requested_at}, default="requested_at")
    @requires("executions:read")
    def get(self, execution_id: UUID) -> Select[StageApproval]:
        """List each time a stage of the execution waited for approval, and what became of it."""
        with transaction() as session:
            load(session, Execution, execution_id)
        return select(StageApproval).where(StageApproval.execution_id == execution_id)


def _decide(execution_id: UUID, stage: str, *, approve: bool, comment: str | None) -> Reply:
    with transaction() as session:
        execution = load(session, Execution, execution_id)
        approvals.decide(session, execution, stage, principal(), approve=approve, comment=comment)
        return accepted(views.execution_view(session, execution), execution.job_id)
