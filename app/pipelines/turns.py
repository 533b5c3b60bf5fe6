"""Turns in a concurrency group: whoever may have freed one, or waits for one, asks that they be given out."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.stream import publish
from app.pipelines.intents import AdmitExecutions
from app.pipelines.models import QUEUED, RUNNING, Execution


def ask_admission(session: Session, execution: Execution) -> None:
    """Have the turns of the execution's group given out, by a job that exists once this transaction is committed."""
    if execution.concurrency_group is not None:
        jobs.accept(session, AdmitExecutions(execution.workspace_id, execution.concurrency_group))


def wait_for_turn(session: Session, execution: Execution, job: Job) -> None:
    """Let an execution wait, queued; its job is parked, and holds nobody up."""
    execution.reason = f"Waits for its turn in the concurrency group {execution.concurrency_group}."
    jobs.advance(session, job, phase="waiting", message=execution.reason)
    publish(session, execution.topic, "execution.status", execution.as_event())
    ask_admission(session, execution)


def position_of(session: Session, execution: Execution) -> int | None:
    """Return the place of a queued execution among those of its group that wait; None for one that does not."""
    if execution.concurrency_group is None or execution.status != QUEUED:
        return None
    before = select(func.count()).where(
        Execution.workspace_id == execution.workspace_id,
        Execution.concurrency_group == execution.concurrency_group,
        Execution.status.in_((QUEUED, RUNNING)),
        Execution.status == QUEUED,
        (Execution.queued_at < execution.queued_at)
        | ((Execution.queued_at == execution.queued_at) & (Execution.id < execution.id)),
    )
    return session.execute(before).scalar_one() + 1
