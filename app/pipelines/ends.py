"""The ends of steps, stages and executions, each written once with the event that tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.events import announce
from app.kernel.stream import publish
from app.pipelines.deployments import close_deployment
from app.pipelines.errors import ExecutionFailed, ExecutionTimedOut, StageFailed, StageTimedOut
from app.pipelines.events import ExecutionFinished
from app.pipelines.models import (
    CANCELLED,
    FAILED,
    QUEUED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    TIMED_OUT,
    Execution,
    Stage,
    Step,
)
from app.pipelines.turns import ask_admission


def now(session: Session) -> datetime:
    """Return the database's time."""
    return session.execute(select(database_now())).scalar_one()


def stages_of(session: Session, execution: Execution) -> list[Stage]:
    """Return the execution's stages in the plan's order."""
    return list(
        session.execute(select(Stage).where(Stage.execution_id == execution.id).order_by(Stage.position)).scalars()
    )


def steps_of(session: Session, stage: Stage) -> list[Step]:
    """Return the stage's steps in the plan's order."""
    return list(session.execute(select(Step).where(Step.stage_id == stage.id).order_by(Step.position)).scalars())


def end_stage(
    session: Session,
    execution: Execution,
    stage: Stage,
    status: str,
    *,
    reason: str | None = None,
    error: dict[str, Any] | None = None,
) -> None:
    """Move a stage to its end, and with it the steps that never ran."""
    moment = now(session)
    stage.move(status, moment)
    if stage.runner_asked_at is not None:
        # What it waited for, the execution has said as well.
        stage.runner_asked_at = execution.reason = None
    stage.reason = reason
    stage.error = error
    stage.blocks = stage.blocks or status == CANCELLED or (status in (FAILED, TIMED_OUT) and not stage.may_fail)
    left = CANCELLED if status == CANCELLED else SKIPPED
    for step in steps_of(session, stage):
        if step.status == RUNNING:
            step.reason = reason
            end_step(session, execution, stage, step, status, moment)
        elif step.status == QUEUED:
            end_step(session, execution, stage, step, left, moment)
    close_deployment(session, stage, status, moment)
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())


def end_step(session: Session, execution: Execution, stage: Stage, step: Step, status: str, moment: datetime) -> None:
    """Move a step to its end."""
    step.move(status, moment)
    session.flush()
    publish(session, execution.topic, "step.status", step.as_event(stage))


def end_execution(session: Session, execution: Execution, job: Job, stages: Iterable[Stage]) -> None:
    """End an execution whose stages have all ended, and its job with it."""
    status = outcome_of(stages, cancel_requested=job.cancel_requested)
    summary = {"status": status, "stages": {stage.name: stage.status for stage in stages}}
    error = _error_of(status, stages)
    error = error and jobs.identify(job.kind, error)
    finish_execution(session, execution, status, error)
    ends = {SUCCEEDED: jobs.SUCCEEDED, CANCELLED: jobs.CANCELLED}
    jobs.end(session, job, ends.get(status, jobs.FAILED), result=summary, error=error)


def _error_of(status: str, stages: Iterable[Stage]) -> dict[str, Any] | None:
    """Return why an execution did not succeed: the one reason of its stages when it lies outside of their steps."""
    if status in (SUCCEEDED, CANCELLED):
        return None
    failed = [stage for stage in stages if stage.status in (FAILED, TIMED_OUT) and not stage.may_fail]
    reasons = {(stage.error or {}).get("code") for stage in failed}
    if len(reasons) == 1 and reasons.isdisjoint((None, StageFailed.code, StageTimedOut.code)):
        return failed[0].error
    names = ", ".join(f"{stage.name} {stage.status.replace('_', ' ')}" for stage in failed)
    kind = ExecutionTimedOut if status == TIMED_OUT else ExecutionFailed
    error = kind(f"Did not succeed: {names}.", **_place_of(failed))
    return {"code": error.code, "message": error.message, "details": dict(error.details)}


def _place_of(failed: Sequence[Stage]) -> dict[str, Any]:
    """Return the first stage that failed, in the plan's order, by its name in the definition, and its first step."""
    if not failed:
        return {}
    details = (failed[0].error or {}).get("details", {})
    return {"stage": details.get("stage", failed[0].name), "step": details.get("step")}


def outcome_of(stages: Iterable[Stage], *, cancel_requested: bool) -> str:
    """Return an execution's end by the ends of its stages: the worst of them, a skipped one counting as none."""
    ends = {stage.status for stage in stages if not (stage.may_fail and stage.status in (FAILED, TIMED_OUT))}
    if cancel_requested and CANCELLED in ends:
        return CANCELLED
    return next((status for status in (FAILED, TIMED_OUT, CANCELLED) if status in ends), SUCCEEDED)


def finish_execution(session: Session, execution: Execution, status: str, error: dict[str, Any] | None = None) -> None:
    """Move the execution to its end and tell of it."""
    execution.move(status, now(session))
    execution.error = error
    session.flush()
    ask_admission(session, execution)
    publish(session, execution.topic, "execution.status", execution.as_event())
    publish(session, execution.topic, "execution.finished", execution.as_event())
    announce(
        session,
        ExecutionFinished(
            execution.organization_id,
            execution.workspace_id,
            execution.pipeline_id,
            execution.id,
            execution.number,
            status,
        ),
    )
