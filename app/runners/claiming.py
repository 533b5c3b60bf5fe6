"""Giving a runner its next stage. Whoever claims first has it; the attempt's number fences off all others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Claim, Job, LeaseLost, WorkerLost
from app.kernel.crypto import Vault
from app.kernel.errors import HeadraceError
from app.pipelines import (
    Execution,
    RunStageElsewhere,
    Stage,
    end_wait,
    reveal_for_stage,
    start_stage,
)
from app.runners.models import Runner
from app.runners.wire import Assignment

LOOK_SECONDS: Final = 2.0
"""How soon somebody looks after a stage that waits again."""


def claim_next(session: Session, runner: Runner, lease_seconds: float) -> Claim | None:
    """Take the first waiting stage of the runner's organization that is for it, if there is any."""
    waiting = (
        select(Job.id)
        .join(Stage, Stage.job_id == Job.id)
        .join(Execution, Execution.id == Stage.execution_id)
        .where(text("jobs.status = 'queued'"), Job.queue == jobs.RUNNERS, Job.cancel_requested_at.is_(None))
        .where(Job.organization_id == runner.organization_id, Stage.runs_on.contained_by(runner.labels))
        .order_by(Job.priority, Job.id)
        .limit(1)
        .with_for_update(of=Job, skip_locked=True)
    )
    if runner.workspace_id is not None:
        waiting = waiting.where(Job.workspace_id == runner.workspace_id)
    if not runner.takes_untrusted:
        waiting = waiting.where(Execution.trusted)
    job_id = session.scalar(waiting)
    return None if job_id is None else jobs.take(session, job_id, runner.worker, lease_seconds)


def begin(session: Session, vault: Vault, runner: Runner, claimed: Claim) -> Assignment:
    """Start the stage that was claimed and return all that the runner needs; raises LeaseLost, Undecryptable."""
    jobs.hold(session, claimed)
    stage = session.get_one(Stage, RunStageElsewhere.from_json(claimed.payload).stage_id, populate_existing=True)
    execution = session.get_one(Execution, stage.execution_id, populate_existing=True)
    end_wait(session, execution, stage, runner.name)
    briefing = start_stage(session, stage.id)
    opening, values = reveal_for_stage(session, vault, briefing)
    return Assignment(claimed.job_id, claimed.attempt, briefing, opening, values)


@dataclass(frozen=True, slots=True)
class Lost:
    """What a runner was given and does not have: it was killed, or never heard the answer."""

    job_id: UUID
    attempt: int
    parent_id: UUID | None


def find_lost(session: Session, runner: Runner, holding: Collection[UUID]) -> list[Lost]:
    """Return what the runner was given beyond what it says it has."""
    given = select(Job.id, Job.attempt, Job.parent_id).where(
        text("jobs.status = 'running'"), Job.queue == jobs.RUNNERS, Job.worker == runner.worker
    )
    rows = session.execute(given.where(Job.lease_until.is_not(None))).all()
    return [Lost(*row) for row in rows if row.id not in holding]


def give_up(session: Session, gone: Lost) -> None:
    """Queue a runner's job again as one whose worker was lost."""
    try:
        job = jobs.hold_attempt(session, gone.job_id, gone.attempt, gone.parent_id)
    except LeaseLost:
        return
    lost = WorkerLost("Its runner has lost it: it was stopped, or did not hear that it was given it.")
    error = {"code": lost.code, "message": lost.message, "details": {}}
    jobs.fail_or_retry(session, job, error, delay=LOOK_SECONDS)


def fail_unassigned(session: Session, claimed: Claim, error: HeadraceError) -> None:
    """End what was claimed and cannot be begun, such as for a secret that cannot be read."""
    job = jobs.hold(session, claimed)
    jobs.end(session, job, jobs.FAILED, error={"code": error.code, "message": error.message, "details": {}})
