"""Trusting the code of a fork: what somebody has read is run again, with secrets."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.ids import new_id
from app.pipelines.definition import Plan
from app.pipelines.errors import IllegalMove
from app.pipelines.models import Execution
from app.pipelines.service import Started, cancel_execution, write_execution

KEPT = (
    *("organization_id", "workspace_id", "pipeline_id", "trigger", "repository_url", "branch", "tag", "commit_sha"),
    *("pull_request", "fetch_ref", "variables", "depth", "commit_given"),
)


def trust_execution(session: Session, execution: Execution, by: UUID) -> Started:
    """Start an execution over as a trusted one: a new execution of the same commit by the same frozen plan.

    What was asked for is trusted, and nothing after it: the next push to the pull request is not. Where it still runs,
    it is cancelled. Raises IllegalMove for one that is trusted, or was approved before.
    """
    if execution.trusted:
        raise IllegalMove("The execution is trusted already.")
    cause = f"trust:{execution.id}"
    # Of two who approve it at once the second meets the constraint: the row is not locked, for whoever ends a stage
    # locks the job before it.
    if session.execute(select(Execution.id).where(Execution.cause == cause)).scalar() is not None:
        raise IllegalMove("The execution was approved already.")
    if not execution.is_final:
        cancel_execution(session, execution, by)
    plan = replace(Plan.from_json(execution.plan), execution_id=str(new_id()))
    asked = {name: getattr(execution, name) for name in KEPT} | {
        "trusted": True,
        "cause": cause,
        "begun_by": [*execution.begun_by, by],
    }
    return write_execution(session, plan, asked, by)
