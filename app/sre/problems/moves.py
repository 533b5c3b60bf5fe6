"""What people do with problems. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.identity import read_rights
from app.kernel.clock import database_now, sql_days
from app.kernel.errors import FieldError, Invalid
from app.kernel.principal import Principal, places_of
from app.sre.models import CLOSED, INVESTIGATING, OPEN, RESOLVED, Problem
from app.sre.problems import timeline
from app.sre.problems.telling import tell_opened, tell_resolved

# A problem that nobody looks at after it was over is done with.
CLOSE_DAYS: Final = 7
AT_ONCE: Final = 500


def change_problem(session: Session, problem: Problem, caller: Principal, fields: Mapping[str, Any]) -> Problem:
    """Write the status, the assignee and a note on a problem whose row is locked.

    Raises IllegalMove for a status that it cannot have next, and Invalid for an assignee who may not read it.
    """
    if "assignee_id" in fields and fields["assignee_id"] != problem.assignee_id:
        _assign(session, problem, caller, fields["assignee_id"])
    if "status" in fields and fields["status"] != problem.status:
        _move(session, problem, caller, fields["status"])
    if fields.get("note"):
        timeline.note(session, problem, timeline.NOTED, text=fields["note"], user_id=str(caller.user_id))
    session.flush()
    session.refresh(problem)
    return problem


def _assign(session: Session, problem: Problem, caller: Principal, assignee_id: UUID | None) -> None:
    if assignee_id is not None:
        rights = read_rights(session, assignee_id)
        if rights is None or not rights.may("sre:read", *places_of(problem)):
            raise Invalid(errors=[FieldError("assignee_id", "Must be somebody who may read this problem.")])
    problem.assignee_id = assignee_id
    whom = None if assignee_id is None else str(assignee_id)
    timeline.note(session, problem, timeline.ASSIGNED, assignee_id=whom, user_id=str(caller.user_id))


def _move(session: Session, problem: Problem, caller: Principal, status: str) -> None:
    before = problem.status
    now: datetime = session.execute(select(database_now())).scalar_one()
    moves: dict[str, Callable[[], None]] = {
        OPEN: problem.reopen,
        INVESTIGATING: problem.investigate,
        RESOLVED: lambda: problem.resolve(now, caller.user_id),
        CLOSED: lambda: problem.close(now),
    }
    moves[status]()
    step = {RESOLVED: timeline.RESOLVED, CLOSED: timeline.CLOSED}.get(status, timeline.STATUS)
    if before == RESOLVED and status != CLOSED:
        step = timeline.REOPENED
        tell_opened(session, problem, reopened=True)
    elif status == RESOLVED:
        tell_resolved(session, problem, caller.user_id)
    timeline.note(session, problem, step, before=before, now=status, user_id=str(caller.user_id))


def close_old(session: Session) -> int:
    """Close some problems that have been over for CLOSE_DAYS; returns how many."""
    old = select(Problem).where(Problem.status == RESOLVED, Problem.resolved_at < database_now() - sql_days(CLOSE_DAYS))
    problems = session.scalars(old.limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    now: datetime = session.execute(select(database_now())).scalar_one()
    for problem in problems:
        problem.close(now)
        timeline.note(session, problem, timeline.CLOSED, reason=f"It was over for {CLOSE_DAYS} days.", automatic=True)
    session.flush()
    return len(problems)


def forget_problems(session: Session, days: int, limit: int = 1000) -> int:
    """Delete some problems that were closed so many days ago, with their timelines; returns how many."""
    old = select(Problem.id).where(Problem.closed_at < database_now() - sql_days(days)).limit(limit)
    gone = delete(Problem).where(Problem.id.in_(old)).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
