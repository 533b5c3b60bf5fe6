"""How an execution moves: stages become ready, run and end; with the last of them the execution ends.

Everything here runs in a transaction that has locked the execution's job, or one of its stages' jobs with it, so two
stages that end at once are written one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.events import announce
from app.kernel.stream import publish
from app.pipelines.errors import ExecutionFailed, ExecutionTimedOut, StageFailed, StageTimedOut
from app.pipelines.events import ExecutionFinished, ExecutionStarted
from app.pipelines.intents import RunStage
from app.pipelines.models import (
    CANCELLED,
    FAILED,
    FINAL,
    QUEUED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    TIMED_OUT,
    Execution,
    Stage,
    Step,
)

ENDED_BY_ERROR = {StageTimedOut.code: TIMED_OUT}


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


def begin_execution(session: Session, execution: Execution, job: Job, commit_sha: str) -> None:
    """Start the stages that need no other; after a retry, those among the ones that are queued again."""
    moment = now(session)
    execution.commit_sha = commit_sha
    execution.deadline_at = moment + timedelta(seconds=execution.plan["timeout"])
    execution.move(RUNNING, moment)
    publish(session, execution.topic, "execution.status", execution.as_event())
    announce(
        session,
        ExecutionStarted(
            execution.organization_id, execution.workspace_id, execution.pipeline_id, execution.id, execution.number
        ),
    )
    settle(session, execution, job)


def settle(session: Session, execution: Execution, job: Job) -> None:
    """Start what became ready, skip what cannot run any more, and end the execution when nothing is left."""
    stages = stages_of(session, execution)
    by_name = {stage.name: stage for stage in stages}
    moved = True
    while moved:
        moved = False
        for stage in stages:
            if stage.status == QUEUED and stage.job_id is None:
                moved = (
                    _settle_stage(session, execution, job, stage, [by_name[name] for name in stage.depends_on]) or moved
                )
    if all(stage.is_final for stage in stages):
        _end_execution(session, execution, job, stages)
    else:
        tell_progress(session, job, stages)


def _settle_stage(session: Session, execution: Execution, job: Job, stage: Stage, needed: list[Stage]) -> bool:
    if not all(other.is_final for other in needed):
        return False
    if job.cancel_requested:
        end_stage(session, execution, stage, CANCELLED, reason="The execution was cancelled.")
        return True
    planned = execution.plan["stages"][stage.position]
    blocking = [other for other in needed if other.blocks]
    if blocking and not planned.get("condition"):
        names = ", ".join(f"{other.name} {other.status}" for other in blocking)
        stage.blocks = True
        end_stage(session, execution, stage, SKIPPED, reason=f"A stage it depends on did not succeed: {names}.")
        return True
    stage.job_id = jobs.accept(
        session,
        RunStage(stage.id),
        organization_id=execution.organization_id,
        workspace_id=execution.workspace_id,
        created_by=execution.created_by,
        resource=("stage", stage.id),
        parent_id=job.id,
    )
    session.flush()
    return False


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
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())


def end_step(session: Session, execution: Execution, stage: Stage, step: Step, status: str, moment: datetime) -> None:
    """Move a step to its end."""
    step.move(status, moment)
    session.flush()
    publish(session, execution.topic, "step.status", step.as_event(stage))


def _end_execution(session: Session, execution: Execution, job: Job, stages: Iterable[Stage]) -> None:
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


def tell_progress(session: Session, job: Job, stages: list[Stage]) -> None:
    """Report how many of the execution's steps have ended, and which stages run."""
    ended, total = session.execute(
        select(func.count().filter(Step.status.in_(FINAL)), func.count()).where(
            Step.stage_id.in_([stage.id for stage in stages])
        )
    ).one()
    running = ", ".join(stage.name for stage in stages if stage.status == RUNNING)
    jobs.advance(session, job, percent=100.0 * ended / total, current=ended, total=total, phase=running or None)


def stage_job_ended(session: Session, job: Job) -> None:
    """Follow the end of a stage's job: record the stage's end, or queue it again while it has retries left."""
    stage = session.execute(
        select(Stage).where(Stage.job_id == job.id).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if stage is None or stage.is_final:
        return
    execution = session.get_one(Execution, stage.execution_id, populate_existing=True)
    parent = session.get_one(Job, job.parent_id)
    status, reason = _stage_end_of(job)
    stage.blocks = bool((job.result or {}).get("blocks"))
    if status in (FAILED, TIMED_OUT) and stage.retries_left > 0 and not parent.cancel_requested:
        _try_stage_again(session, execution, stage, status)
    else:
        end_stage(session, execution, stage, status, reason=reason, error=job.error)
    if not parent.is_final:
        settle(session, execution, parent)


def _stage_end_of(job: Job) -> tuple[str, str | None]:
    if job.status == jobs.SUCCEEDED:
        result = job.result or {}
        return str(result.get("status", SUCCEEDED)), result.get("reason")
    if job.status == jobs.CANCELLED:
        return CANCELLED, "Cancelled."
    error = job.error or {}
    return ENDED_BY_ERROR.get(str(error.get("code")), FAILED), error.get("message")


def _try_stage_again(session: Session, execution: Execution, stage: Stage, status: str) -> None:
    end_stage(session, execution, stage, status, reason="Failed; it is tried again.")
    stage.retries_left -= 1
    queue_stage_again(session, execution, stage)


def queue_stage_again(session: Session, execution: Execution, stage: Stage) -> None:
    """Move an ended stage and its steps back to queued; their attempts and logs stay."""
    moment = now(session)
    stage.move(QUEUED, moment)
    stage.job_id = stage.reason = stage.error = None
    stage.blocks = False
    for step in steps_of(session, stage):
        step.reset()
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())


def execution_job_ended(session: Session, job: Job) -> None:
    """Follow the end of an execution's job that its stages did not bring about: no commit found, cancelled early."""
    execution = session.get(Execution, job.resource_id, populate_existing=True)
    if execution is None or execution.is_final:
        return
    status = CANCELLED if job.status == jobs.CANCELLED else FAILED
    for stage in stages_of(session, execution):
        if not stage.is_final:
            end_stage(session, execution, stage, CANCELLED if status == CANCELLED else SKIPPED)
    finish_execution(session, execution, status, job.error)


def execution_job_retried(session: Session, job: Job) -> None:
    """Follow a retry: the execution and all of its stages that did not succeed are queued again."""
    execution = session.get_one(Execution, job.resource_id, populate_existing=True)
    execution.move(QUEUED, now(session))
    execution.error = None
    for stage in stages_of(session, execution):
        if stage.status in FINAL and stage.status != SUCCEEDED:
            stage.retries_left = execution.plan["stages"][stage.position]["retry_count"]
            queue_stage_again(session, execution, stage)
    publish(session, execution.topic, "execution.status", execution.as_event())
