"""Giving out the turns to deploy to an environment: to one stage at a time, in the order in which they could run.

It is done by one job after another under the environment's lock, which is taken before any execution's: see
admission.py, which does the same for concurrency groups.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import jobs
from app.pipelines.ends import now
from app.pipelines.environments import door_of
from app.pipelines.models import QUEUED, RUNNING, Execution, Stage
from app.pipelines.progress import run_stage, settle


def admit_deployments(session: Session, environment_id: UUID) -> UUID | None:
    """Let the next stage deploy, unless one does; return its id."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"deployments:{environment_id}", 0))))
    mine = select(Stage).where(Stage.environment_id == environment_id, Stage.status.in_((QUEUED, RUNNING)))
    in_order = mine.order_by(Stage.turn_asked_at, Stage.id).execution_options(populate_existing=True)
    stages = session.scalars(in_order).all()
    if any(stage.job_id is not None for stage in stages):
        return None
    return next((stage.id for stage in stages if _waits(stage) and _admit(session, stage)), None)


def _waits(stage: Stage) -> bool:
    return stage.status == QUEUED and stage.job_id is None and stage.turn_asked_at is not None


def _admit(session: Session, stage: Stage) -> bool:
    execution = session.get_one(Execution, stage.execution_id)
    job = jobs.lock(session, execution.job_id)
    session.refresh(execution)
    session.refresh(stage)
    if job is None or job.is_final or job.cancel_requested or not _waits(stage):
        return False
    door = door_of(session, execution, stage)
    if door and (door.refusal or (door.gate and not stage.approved)):
        # Its environment is protected otherwise than when it asked.
        stage.turn_asked_at = None
        settle(session, execution, job)
        return False
    if execution.deadline_at is not None and stage.turn_asked_at is not None:
        # Waiting for others takes nothing of its own time, as with approvals.
        execution.deadline_at += now(session) - stage.turn_asked_at
    run_stage(session, execution, job, stage)
    return True
