"""Giving out the turns of a concurrency group: in order, or to the newest, whose elders are cancelled.

It is done by one job after another under the group's lock, and nowhere else: that lock is taken before any job's, so
that no two transactions wait in a circle. An end and an arrival only ask for it, in their own transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.pipelines.models import QUEUED, RUNNING, Execution
from app.pipelines.progress import open_execution


def admit_executions(session: Session, workspace_id: UUID, group: str) -> list[UUID]:
    """Begin the executions of a group whose turn it is, and return them."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"concurrency:{workspace_id}:{group}", 0))))
    members = _members_of(session, workspace_id, group)
    if members and _rule_of(members[-1])["cancel_in_progress"]:
        _supersede(session, members)
        members = _members_of(session, workspace_id, group)
    going_on = sum(member.status == RUNNING for member in members)
    admitted: list[UUID] = []
    for execution in [member for member in members if member.status == QUEUED]:
        if going_on + len(admitted) >= _rule_of(execution)["limit"]:
            break
        if not _admit(session, execution):
            # It looks for its commit, or ends: the turn is kept for it, or asked for again by its end.
            going_on += 1
            continue
        admitted.append(execution.id)
    return admitted


def _members_of(session: Session, workspace_id: UUID, group: str) -> Sequence[Execution]:
    """Return the executions of a group that have not ended, in their order."""
    members = select(Execution).where(
        Execution.workspace_id == workspace_id,
        Execution.concurrency_group == group,
        Execution.status.in_((QUEUED, RUNNING)),
    )
    in_order = members.order_by(Execution.queued_at, Execution.id).execution_options(populate_existing=True)
    return session.scalars(in_order).all()


def _rule_of(execution: Execution) -> dict[str, Any]:
    rule: dict[str, Any] = execution.plan["concurrency"]
    return rule


def _supersede(session: Session, members: Sequence[Execution]) -> None:
    newest = members[-1]
    for execution in members[: -_rule_of(newest)["limit"]]:
        job = jobs.lock(session, execution.job_id)
        if job is None or job.is_final or job.cancel_requested:
            continue
        execution.reason = f"Superseded by execution {newest.id}, which is newer in its concurrency group."
        jobs.cancel(session, job)


def _admit(session: Session, execution: Execution) -> bool:
    job = jobs.lock(session, execution.job_id)
    session.refresh(execution)
    if job is None or execution.status != QUEUED or not _is_parked(job):
        return False
    open_execution(session, execution, job)
    return True


def _is_parked(job: Job) -> bool:
    return job.status == jobs.RUNNING and job.lease_until is None and not job.cancel_requested
