"""What a worker writes of a stage while it runs it. Each function is called in a transaction that holds the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import sql_seconds
from app.kernel.db import table_of
from app.kernel.ids import new_id
from app.kernel.stream import publish
from app.pipelines.attempts import queue_steps_again
from app.pipelines.definition import Plan, PlannedStage, State, should_run, stage_variables
from app.pipelines.deployments import open_deployment
from app.pipelines.ends import end_step, now, stages_of, steps_of
from app.pipelines.keeping import Places
from app.pipelines.models import (
    RUNNING,
    Artifact,
    Execution,
    LogChunk,
    Stage,
    Step,
)
from app.pipelines.progress import tell_progress


@dataclass(frozen=True, slots=True)
class NeededArtifact:
    """A file that an earlier stage kept: its path in the checkout, and where its bytes are."""

    path: str
    key: str


@dataclass(frozen=True, slots=True)
class Briefing:
    """All a worker must know to run one attempt of a stage. `seconds_left` is until the execution's deadline."""

    execution_id: UUID
    organization_id: UUID
    workspace_id: UUID
    pipeline_id: UUID
    environment_id: UUID | None
    stage_id: UUID
    attempt: int
    plan: Plan
    planned: PlannedStage
    repository_url: str
    branch: str | None
    tag: str | None
    fetch_ref: str | None
    commit_sha: str
    trusted: bool
    needs: State
    needed_artifacts: tuple[NeededArtifact, ...]
    steps: dict[str, UUID]
    seconds_left: float

    @property
    def places(self) -> Places:
        """Who may have kept secrets for its steps."""
        return Places(self.organization_id, self.workspace_id, self.pipeline_id, self.environment_id)

    @property
    def wanted(self) -> bool:
        """Whether the stage's condition lets it run; raises ConditionInvalid."""
        variables = stage_variables(self.plan, self.planned, commit_sha=self.commit_sha, attempt=self.attempt)
        return should_run(self.planned.condition, variables, self.needs)


def start_stage(session: Session, stage_id: UUID) -> Briefing:
    """Move a stage to running, with all of its steps queued again, and return what is to be done."""
    stage = session.get_one(Stage, stage_id, with_for_update=True)
    execution = session.get_one(Execution, stage.execution_id)
    moment = now(session)
    steps = steps_of(session, stage)
    queue_steps_again(session, stage, steps, moment)
    stage.move(RUNNING, moment)
    stage.attempt += 1
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())
    plan = Plan.from_json(execution.plan)
    open_deployment(session, execution, stage, plan, moment)
    return _brief(session, execution, stage, plan, steps, moment)


def read_briefing(session: Session, stage: Stage) -> Briefing:
    """Return what is to be done in the attempt of a stage that runs, without starting another."""
    execution = session.get_one(Execution, stage.execution_id)
    return _brief(session, execution, stage, Plan.from_json(execution.plan), steps_of(session, stage), now(session))


def _brief(
    session: Session, execution: Execution, stage: Stage, plan: Plan, steps: list[Step], moment: datetime
) -> Briefing:
    needed = [other for other in stages_of(session, execution) if other.name in stage.depends_on]
    blocked = any(other.blocks for other in needed)
    deadline = execution.deadline_at or moment
    return Briefing(
        execution_id=execution.id,
        organization_id=execution.organization_id,
        workspace_id=execution.workspace_id,
        pipeline_id=execution.pipeline_id,
        environment_id=stage.environment_id,
        stage_id=stage.id,
        attempt=stage.attempt,
        plan=plan,
        planned=plan.stage(stage.name),
        repository_url=execution.repository_url,
        branch=execution.branch,
        tag=execution.tag,
        fetch_ref=execution.fetch_ref,
        commit_sha=execution.commit_sha or "",
        trusted=execution.trusted,
        needs=State(failed=blocked),
        needed_artifacts=_artifacts_of(session, needed),
        steps={step.name: step.id for step in steps},
        seconds_left=(deadline - moment).total_seconds(),
    )


def _artifacts_of(session: Session, stages: list[Stage]) -> tuple[NeededArtifact, ...]:
    kept = (
        select(Artifact.path, Artifact.key)
        .join(Stage, Stage.id == Artifact.stage_id)
        .where(Stage.id.in_([stage.id for stage in stages]))
        .order_by(Stage.position, Artifact.created_at)
    )
    return tuple(NeededArtifact(row.path, row.key) for row in session.execute(kept))


def start_step(session: Session, job: Job, step_id: UUID) -> int:
    """Move a step to running and return the number of this attempt, which its log is kept under."""
    step = session.get_one(Step, step_id, with_for_update=True)
    stage = session.get_one(Stage, step.stage_id)
    moment = now(session)
    queue_steps_again(session, stage, [step], moment)
    step.move(RUNNING, moment)
    step.attempt += 1
    session.flush()
    publish(session, f"execution:{step.execution_id}", "step.status", step.as_event(stage))
    jobs.advance(session, job, phase=_running(steps_of(session, stage)), message=f"{step.name} runs")
    return step.attempt


def _running(steps: Sequence[Step]) -> str | None:
    """Return the names of the steps that run, as the phase of their stage's job."""
    return ", ".join(step.name for step in steps if step.status == RUNNING) or None


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended."""

    status: str
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    duration_seconds: float | None = None
    peak_memory_bytes: int | None = None
    sandbox: str | None = None


def finish_step(session: Session, job: Job, step_id: UUID, ended: StepEnd, *, again: bool = False) -> None:
    """Move a step to its end, with what was measured, and raise the progress of the execution's job.

    One that is to be run `again` is queued at once: nobody may meet it ended, and believe that its log is.
    """
    step = session.get_one(Step, step_id, with_for_update=True)
    stage = session.get_one(Stage, step.stage_id)
    execution = session.get_one(Execution, step.execution_id)
    step.reason = ended.reason
    step.exit_code = ended.exit_code
    step.signal = ended.signal
    step.duration_seconds = ended.duration_seconds
    step.peak_memory_bytes = ended.peak_memory_bytes
    step.sandbox = ended.sandbox
    moment = now(session)
    end_step(session, execution, stage, step, ended.status, moment)
    message = f"{step.name} {step.status}"
    if again:
        queue_steps_again(session, stage, [step], moment)
        publish(session, execution.topic, "step.status", step.as_event(stage))
    steps = steps_of(session, stage)
    done = sum(other.is_final for other in steps)
    jobs.advance(
        session,
        job,
        percent=100.0 * done / len(steps),
        current=done,
        total=len(steps),
        phase=_running(steps),
        message=message,
    )
    if job.parent_id is not None:
        tell_progress(session, session.get_one(Job, job.parent_id), stages_of(session, execution))


def log_key(step_id: UUID, attempt: int, first_seq: int) -> str:
    """Return where the bytes of a chunk are stored."""
    return f"{step_id}/{attempt}/{first_seq:012d}"


def log_topic(step_id: UUID) -> str:
    """Return the topic on which those who follow a step's log are woken."""
    return f"log:{step_id}"


_ADD_LOG_CHUNK = insert(table_of(LogChunk)).on_conflict_do_nothing()


def add_log_chunk(
    session: Session, step_id: UUID, attempt: int, *, first_seq: int, last_seq: int, size: int, key: str
) -> None:
    """Let a stored chunk be seen; doing it twice is harmless."""
    names = {"step_id": step_id, "attempt": attempt, "first_seq": first_seq, "last_seq": last_seq}
    session.execute(_ADD_LOG_CHUNK, {**names, "size": size, "key": key})


def replace_artifacts(session: Session, briefing: Briefing, kept: Sequence[dict[str, Any]]) -> list[str]:
    """Let stored artifacts be seen, in the place of all that earlier attempts of the stage kept; returns the keys of
    those, whose bytes nobody can reach any more."""
    earlier = delete(Artifact).where(Artifact.stage_id == briefing.stage_id).returning(Artifact.key)
    gone = list(session.scalars(earlier))
    for one in kept:
        retention = sql_seconds(one["retention_seconds"])
        values = {
            "expires_at": func.clock_timestamp() + retention,
            "organization_id": briefing.organization_id,
            "execution_id": briefing.execution_id,
            "stage_id": briefing.stage_id,
            "stage_name": briefing.planned.name,
            **{name: value for name, value in one.items() if name != "retention_seconds"},
        }
        session.execute(insert(Artifact).values(id=new_id(), **values))
    return gone


def expired_artifacts(session: Session, limit: int = 200) -> list[Artifact]:
    """Return some artifacts whose retention has passed."""
    old = select(Artifact).where(Artifact.expires_at < func.clock_timestamp()).order_by(Artifact.expires_at)
    return list(session.execute(old.limit(limit)).scalars())
