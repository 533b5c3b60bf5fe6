"""How an execution moves: stages become ready, run and end; with the last of them the execution ends.

Everything here runs in a transaction that has locked the execution's job, or one of its stages' jobs with it, so two
stages that end at once are written one after the other.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.events import announce
from app.kernel.stream import publish
from app.pipelines.approvals import ask_approval, close_gate, is_wanted
from app.pipelines.attempts import queue_stage_again
from app.pipelines.deployments import ask_to_deploy
from app.pipelines.ends import end_execution, end_stage, finish_execution, now, stages_of
from app.pipelines.environments import Door, door_of
from app.pipelines.errors import (
    ApprovalExpired,
    ConditionInvalid,
    DeploymentRefused,
    RunnerAwaitedInVain,
    StageTimedOut,
)
from app.pipelines.events import ExecutionStarted
from app.pipelines.intents import RunStage, RunStageElsewhere
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
from app.pipelines.runner_waits import FIRST_LOOK, await_runner
from app.pipelines.turns import wait_for_turn

NOT_WANTED = "Its condition does not hold."
ENDED_BY_ERROR = {
    StageTimedOut.code: TIMED_OUT,
    ApprovalExpired.code: TIMED_OUT,
    RunnerAwaitedInVain.code: TIMED_OUT,
}


def begin_execution(session: Session, execution: Execution, job: Job, commit_sha: str) -> None:
    """Begin an execution whose commit was found, or let it wait for its turn; its job has been parked."""
    execution.commit_sha = commit_sha
    if execution.concurrency_group is None:
        open_execution(session, execution, job)
    else:
        wait_for_turn(session, execution, job)


def open_execution(session: Session, execution: Execution, job: Job) -> None:
    """Start the stages that need no other; after a retry, those among the ones that are queued again."""
    moment = now(session)
    execution.reason = None
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
            if (
                stage.status == QUEUED
                and stage.job_id is None
                and (stage.turn_asked_at is None or job.cancel_requested)
            ):
                moved = (
                    _settle_stage(session, execution, job, stage, [by_name[name] for name in stage.depends_on]) or moved
                )
    if all(stage.is_final for stage in stages):
        end_execution(session, execution, job, stages)
    else:
        tell_progress(session, job, stages)


def _settle_stage(session: Session, execution: Execution, job: Job, stage: Stage, needed: list[Stage]) -> bool:
    if not all(other.is_final for other in needed):
        return False
    if job.cancel_requested:
        end_stage(session, execution, stage, CANCELLED, reason="The execution was cancelled.")
        return True
    blocking = [other for other in needed if other.blocks]
    if blocking and not execution.plan["stages"][stage.position].get("condition"):
        names = ", ".join(f"{other.name} {other.status}" for other in blocking)
        stage.blocks = True
        end_stage(session, execution, stage, SKIPPED, reason=f"A stage it depends on did not succeed: {names}.")
        return True
    return _open_stage(session, execution, job, stage, blocked=bool(blocking))


def _open_stage(session: Session, execution: Execution, job: Job, stage: Stage, *, blocked: bool) -> bool:
    """Run a stage that could, unless something stands before it; True when it has ended instead."""
    door = door_of(session, execution, stage)
    if door is None:
        run_stage(session, execution, job, stage)
        return False
    try:
        wanted = is_wanted(execution, stage, blocked=blocked)
        if wanted and door.refusal:
            raise DeploymentRefused(door.refusal, stage=stage.name)
    except (ConditionInvalid, DeploymentRefused) as error:
        told = {"code": error.code, "message": error.message, "details": dict(error.details)}
        end_stage(session, execution, stage, FAILED, reason=error.message, error=jobs.identify(RunStage.kind, told))
        return True
    if not wanted:
        stage.blocks = blocked
        end_stage(session, execution, stage, SKIPPED, reason=NOT_WANTED)
        return True
    _pass_door(session, execution, job, stage, door)
    return False


def _pass_door(session: Session, execution: Execution, job: Job, stage: Stage, door: Door) -> None:
    if door.gate and not stage.approved:
        ask_approval(session, execution, job, stage, door.gate)
    elif door.environment:
        ask_to_deploy(session, execution, stage, door.environment, now(session))
    else:
        run_stage(session, execution, job, stage)


def run_stage(session: Session, execution: Execution, job: Job, stage: Stage) -> None:
    """Have a stage run by a worker, or by a runner where it asks for one; `job` is the execution's, whose row the
    caller has locked."""
    stage.reason = None
    stage.job_id = jobs.accept(
        session,
        RunStageElsewhere(stage.id) if stage.runs_on else RunStage(stage.id),
        organization_id=execution.organization_id,
        workspace_id=execution.workspace_id,
        created_by=execution.created_by,
        resource=("stage", stage.id),
        parent_id=job.id,
        delay=FIRST_LOOK if stage.runs_on else 0.0,
    )
    session.flush()
    if stage.runs_on:
        await_runner(session, execution, stage, now(session))


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
    stage = _stage_of(session, job)
    if stage is None:
        return
    execution = session.get_one(Execution, stage.execution_id, populate_existing=True)
    parent = session.get_one(Job, job.parent_id)
    status, reason = _stage_end_of(job)
    stage.blocks = bool((job.result or {}).get("blocks"))
    waited_in_vain = (job.error or {}).get("code") == RunnerAwaitedInVain.code
    may_again = stage.retries_left > 0 and not parent.cancel_requested and not waited_in_vain
    if status in (FAILED, TIMED_OUT) and may_again:
        _try_stage_again(session, execution, stage, status)
    else:
        end_stage(session, execution, stage, status, reason=reason, error=job.error)
    if not parent.is_final:
        settle(session, execution, parent)


def gate_job_ended(session: Session, job: Job) -> None:
    """Follow the end of a wait for approval: let the stage run, or record why it may not. Nothing is tried again."""
    stage = _stage_of(session, job)
    if stage is None:
        return
    execution = session.get_one(Execution, stage.execution_id, populate_existing=True)
    parent = session.get_one(Job, job.parent_id)
    if not close_gate(session, execution, stage, job):
        status, reason = _stage_end_of(job)
        end_stage(session, execution, stage, status, reason=reason, error=job.error)
    if not parent.is_final:
        settle(session, execution, parent)


def _stage_of(session: Session, job: Job) -> Stage | None:
    mine = select(Stage).where(Stage.job_id == job.id).execution_options(populate_existing=True)
    stage = session.execute(mine).scalar_one_or_none()
    return None if stage is None or stage.is_final else stage


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
