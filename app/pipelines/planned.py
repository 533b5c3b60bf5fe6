"""The stages and steps of a plan as rows. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.kernel.db import Base, table_of
from app.kernel.ids import new_id
from app.pipelines.definition import Plan, runner_labels
from app.pipelines.environments import keep_environments, names_of
from app.pipelines.models import QUEUED, Execution, Stage, Step

Rows = list[dict[str, Any]]


def stages_of(session: Session, plan: Plan, asked: Mapping[str, Any], execution_id: UUID) -> tuple[Rows, Rows]:
    """Return the values of the stages and steps of a plan, in its order; `asked` says whose execution it is,
    and whether that is trusted."""
    environments = keep_environments(session, asked, names_of(plan) if asked["trusted"] else ())
    stages: Rows = []
    steps: Rows = []
    fresh = {"execution_id": execution_id, "status": QUEUED, "attempt": 0}
    for position, planned in enumerate(plan.stages):
        stage_id = new_id()
        stages.append(
            fresh
            | {
                "id": stage_id,
                "name": planned.name,
                "position": position,
                "depends_on": list(planned.depends_on),
                "retries_left": planned.retry_count,
                "may_fail": planned.continue_on_error,
                "runs_on": runner_labels(plan, planned),
                "environment_id": environments.get(planned.deploys_to.name) if planned.deploys_to else None,
            }
        )
        steps += [
            fresh | {"id": new_id(), "stage_id": stage_id, "name": step.name, "position": place}
            for place, step in enumerate(planned.steps)
        ]
    return stages, steps


def write_rows(session: Session, *written: tuple[type[Base], Rows]) -> None:
    """Write fresh rows. The unit of work takes four times as long, and nothing else is to be done with these."""
    for model, rows in written:
        if rows:
            session.execute(insert(table_of(model)), rows)


def complete_execution(session: Session, execution: Execution, plan: Plan) -> None:
    """Give an execution whose plan was pending the plan with the stages of the files that it includes."""
    frozen = plan.to_json()
    execution.plan, execution.plan_digest = frozen, frozen["digest"]
    whose = {name: getattr(execution, name) for name in ("organization_id", "workspace_id", "trusted")}
    stages, steps = stages_of(session, plan, whose, execution.id)
    write_rows(session, (Stage, stages), (Step, steps))
    session.flush()
