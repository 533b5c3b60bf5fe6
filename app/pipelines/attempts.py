"""Earlier attempts: what is queued again keeps what its attempts came to, beside the logs they left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.kernel.ids import new_id
from app.kernel.stream import publish
from app.pipelines.ends import now, steps_of
from app.pipelines.models import CANCELLED, QUEUED, Execution, Stage, Step, StepAttempt

LOST = "Its worker stopped, or was lost, before it had ended."
_KEPT = ("reason", "exit_code", "signal", "duration_seconds", "peak_memory_bytes", "sandbox", "started_at")
_KEEP = insert(table_of(StepAttempt)).on_conflict_do_nothing()


def queue_steps_again(session: Session, stage: Stage, steps: Iterable[Step], moment: datetime) -> None:
    """Queue steps of a stage again. What their newest attempts came to is kept: a step's row has one outcome only."""
    forgotten = [step for step in steps if step.status != QUEUED]
    if kept := [_outcome(stage, step, moment) for step in forgotten if step.started_at is not None]:
        session.execute(_KEEP, kept)
    for step in forgotten:
        step.reset()
    session.flush()


def _outcome(stage: Stage, step: Step, moment: datetime) -> dict[str, Any]:
    ended = {"status": step.status, "finished_at": step.finished_at}
    values = {name: getattr(step, name) for name in _KEPT} | ended
    if not step.is_final:
        values |= {"status": CANCELLED, "reason": LOST, "finished_at": moment}
    return values | {
        "id": new_id(),
        "execution_id": step.execution_id,
        "step_id": step.id,
        "stage_name": stage.name,
        "step_name": step.name,
        "stage_attempt": stage.attempt,
        "attempt": step.attempt,
    }


def queue_stage_again(session: Session, execution: Execution, stage: Stage) -> None:
    """Move an ended stage and its steps back to queued; their attempts and logs stay."""
    moment = now(session)
    stage.move(QUEUED, moment)
    stage.job_id = stage.reason = stage.error = stage.turn_asked_at = stage.runner = stage.runner_asked_at = None
    stage.blocks = False
    queue_steps_again(session, stage, steps_of(session, stage), moment)
    publish(session, execution.topic, "stage.status", stage.as_event())
