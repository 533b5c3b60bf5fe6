"""Running again, by the same frozen plan: what did not succeed, all of it, or one stage with what depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.errors import NotFound
from app.kernel.stream import publish
from app.pipelines.attempts import queue_stage_again
from app.pipelines.ends import now, stages_of
from app.pipelines.errors import IllegalMove
from app.pipelines.intents import ExecutePipeline
from app.pipelines.models import QUEUED, RUNNING, SUCCEEDED, Execution, Stage
from app.pipelines.progress import settle
from app.pipelines.quotas import check_quota


def retry_execution(session: Session, execution: Execution, by: UUID | None = None, *, whole: bool = False) -> None:
    """Run again the stages that did not succeed, or all of them where the `whole` is wanted."""
    if not execution.is_final:
        raise IllegalMove(f"The execution is {execution.status}; it can be retried once it has ended.")
    job = session.get(jobs.Job, execution.job_id)
    if job is None:
        raise IllegalMove("Its job is not kept any more; start a new execution.")
    if not whole:
        jobs.retry(session, job, ExecutePipeline.max_attempts, by)
    else:
        jobs.queue_again(session, job, ExecutePipeline.max_attempts, by)
        session.refresh(execution)
        _queue_again(session, execution, stages_of(session, execution))


def execution_job_retried(session: Session, job: Job) -> None:
    """Follow a retry: the execution and all of its stages that did not succeed are queued again."""
    execution = session.get_one(Execution, job.resource_id, populate_existing=True)
    _queue_again(
        session,
        execution,
        [stage for stage in stages_of(session, execution) if stage.status not in (SUCCEEDED, QUEUED)],
    )


def retry_stage(session: Session, execution: Execution, name: str, by: UUID | None = None) -> None:
    """Run one stage again, and all that depends on it, whatever became of them; the other stages stay as they are.

    The execution may still run. Raises NotFound for a stage it does not have, and IllegalMove where the stage has not
    ended, or one that depends on it is under way.
    """
    job = jobs.lock(session, execution.job_id)
    if job is None:
        raise IllegalMove("Its job is not kept any more; start a new execution.")
    session.refresh(execution)
    stages = stages_of(session, execution)
    again = _with_dependents(stages, _find(execution, stages, name))
    _refuse_under_way(job, again)
    if job.is_final:
        jobs.queue_again(session, job, ExecutePipeline.max_attempts, by)
        _queue_again(session, execution, again)
        return
    jobs.act_as(session, by)
    _note_beginner(session, execution)
    _queue_stages(session, execution, again)
    if execution.status == RUNNING:
        settle(session, execution, job)


def _find(execution: Execution, stages: Iterable[Stage], name: str) -> Stage:
    for stage in stages:
        if stage.name == name:
            return stage
    raise NotFound(resource_type="stage", resource_id=f"{execution.id}/{name}")


def _with_dependents(stages: Sequence[Stage], first: Stage) -> list[Stage]:
    """Return a stage and all that depend on it, directly or through others."""
    names = {first.name}
    while more := {stage.name for stage in stages if names.intersection(stage.depends_on)} - names:
        names |= more
    return [stage for stage in stages if stage.name in names]


def _refuse_under_way(job: Job, again: Iterable[Stage]) -> None:
    if job.cancel_requested and not job.is_final:
        raise IllegalMove("The execution is being cancelled.")
    for stage in again:
        if not stage.is_final and stage.job_id is not None:
            raise IllegalMove(f"Stage {stage.name} is {stage.status}; it can be run again once it has ended.")


def _note_beginner(session: Session, execution: Execution) -> None:
    """Who runs an execution again has begun it too, as the last."""
    by = jobs.acting_user(session)
    if by is not None:
        execution.begun_by = [*(one for one in execution.begun_by if one != by), by]


def _queue_again(session: Session, execution: Execution, stages: Iterable[Stage]) -> None:
    check_quota(session, execution.organization_id)
    moment = now(session)
    _note_beginner(session, execution)
    execution.move(QUEUED, moment)
    execution.queued_at = moment
    execution.error = execution.reason = None
    _queue_stages(session, execution, stages)
    publish(session, execution.topic, "execution.status", execution.as_event())


def _queue_stages(session: Session, execution: Execution, stages: Iterable[Stage]) -> None:
    for stage in stages:
        if stage.is_final:
            stage.retries_left = execution.plan["stages"][stage.position]["retry_count"]
            stage.approved = False
            queue_stage_again(session, execution, stage)
