"""The history of an environment, written as stages that deploy begin and end, and the asking for their turns.

As with concurrency groups (turns.py), turns are given out by a job of its own: see deploying.py.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.ids import new_id
from app.kernel.stream import publish
from app.pipelines.definition import Plan, expand, stage_variables
from app.pipelines.definition.language import URL
from app.pipelines.intents import AdmitDeployments
from app.pipelines.models import CANCELLED, RUNNING, SKIPPED, SUCCEEDED, Deployment, Environment, Execution, Stage


def ask_to_deploy(session: Session, execution: Execution, stage: Stage, environment: Environment, at: datetime) -> None:
    """Let a stage that could run wait for its turn to deploy; it stays queued."""
    stage.turn_asked_at = at
    stage.reason = f"Waits for its turn to deploy to {environment.name}."
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())
    jobs.accept(session, AdmitDeployments(environment.id))


def open_deployment(session: Session, execution: Execution, stage: Stage, plan: Plan, moment: datetime) -> None:
    """Note that an attempt of a stage deploys; one before it that was lost has ended by now."""
    planned = plan.stage(stage.name)
    if stage.environment_id is None or stage.turn_asked_at is None or planned.deploys_to is None:
        return
    _end(session, stage, CANCELLED, moment)
    variables = stage_variables(plan, planned, commit_sha=execution.commit_sha, attempt=stage.attempt)
    session.add(
        Deployment(
            id=new_id(),
            organization_id=execution.organization_id,
            workspace_id=execution.workspace_id,
            environment_id=stage.environment_id,
            execution_id=execution.id,
            stage_id=stage.id,
            stage_name=stage.name,
            attempt=stage.attempt,
            status=RUNNING,
            branch=execution.branch,
            tag=execution.tag,
            commit_sha=execution.commit_sha or "",
            url=_address(planned.deploys_to.url, variables),
            created_by=execution.begun_by[-1] if execution.begun_by else None,
            started_at=moment,
        )
    )
    session.flush()


def _address(text: str | None, variables: dict[str, str]) -> str | None:
    """Return the address that a definition gives, filled in; None where values make something else of it."""
    filled = expand(text or "", variables)
    return filled if URL.at_most >= len(filled) and re.fullmatch(URL.pattern, filled) else None


def close_deployment(session: Session, stage: Stage, status: str, moment: datetime) -> None:
    """Note how a stage's deployment ended, if it was one, and have the next turn given out. A stage that was skipped
    after all has deployed nothing."""
    if stage.environment_id is None or stage.turn_asked_at is None:
        return
    ended = _end(session, stage, status, moment)
    if ended is not None and status == SUCCEEDED:
        # What is live is no change of the environment itself.
        live = {"live_id": ended, "updated_at": Environment.updated_at}
        session.execute(update(Environment).where(Environment.id == stage.environment_id).values(live))
    jobs.accept(session, AdmitDeployments(stage.environment_id))


def _end(session: Session, stage: Stage, status: str, moment: datetime) -> object | None:
    mine = (Deployment.stage_id == stage.id, Deployment.status == RUNNING)
    if status == SKIPPED:
        session.execute(delete(Deployment).where(*mine))
        return None
    ended = update(Deployment).where(*mine).values(status=status, finished_at=moment).returning(Deployment.id)
    return session.execute(ended).scalar_one_or_none()
