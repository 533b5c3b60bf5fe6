"""Waiting for a runner: said where people look, and not counted against the execution's own time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app import jobs
from app.kernel.stream import publish
from app.pipelines.ends import now
from app.pipelines.models import QUEUED, Execution, Stage

FIRST_LOOK: Final = 2.0
"""Seconds until somebody looks whether there are runners at all; one without work has taken the stage by then."""


def describe(stage: Stage, more: str = "") -> str:
    """Return what a stage waits for, in words."""
    labels = ", ".join(stage.runs_on)
    return f"Waits for a runner with the label{'s' if len(stage.runs_on) > 1 else ''} {labels}{more}."


def await_runner(session: Session, execution: Execution, stage: Stage, moment: datetime) -> None:
    """Let a stage that could run wait for a runner."""
    stage.runner_asked_at = moment
    say_wait(session, execution, stage, describe(stage))


def say_wait(session: Session, execution: Execution, stage: Stage, reason: str) -> None:
    """Say why a stage waits, and of its execution the same, unless that has been said."""
    if (stage.reason, execution.reason) == (reason, _of_execution(stage, reason)):
        return
    stage.reason, execution.reason = reason, _of_execution(stage, reason)
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())
    publish(session, execution.topic, "execution.status", execution.as_event())


def end_wait(session: Session, execution: Execution, stage: Stage, runner: str) -> None:
    """Note that a runner has taken a stage, before it is started there."""
    if stage.runner_asked_at is not None and execution.deadline_at is not None:
        # Waiting for others takes nothing of its own time, as with approvals.
        execution.deadline_at += now(session) - stage.runner_asked_at
    if execution.reason == _of_execution(stage, stage.reason):
        execution.reason = None
        publish(session, execution.topic, "execution.status", execution.as_event())
    stage.runner, stage.runner_asked_at, stage.reason, stage.received_bytes = runner, None, None, 0
    session.flush()


def wait_position(session: Session, stage: Stage) -> int | None:
    """Return a stage's place among those of its organization that wait for runners; None for one that does not."""
    if not stage.runs_on or stage.status != QUEUED or stage.job_id is None:
        return None
    job = session.get(jobs.Job, stage.job_id)
    return None if job is None else jobs.position_of(session, job)


def _of_execution(stage: Stage, reason: str | None) -> str | None:
    return None if reason is None else f"{stage.name}: {reason}"
