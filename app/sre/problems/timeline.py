"""The timeline of a problem: each step with what it was about. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.sre.models import Problem, ProblemStep

OPENED: Final = "opened"
BEGAN: Final = "signal_began"
ENDED: Final = "signal_ended"
RETURNED: Final = "signal_returned"
CAUSE: Final = "cause_changed"
SEVERITY: Final = "severity_changed"
STATUS: Final = "status_changed"
ASSIGNED: Final = "assigned"
REOPENED: Final = "reopened"
RESOLVED: Final = "resolved"
CLOSED: Final = "closed"
MERGED: Final = "merged"
NOTED: Final = "noted"
STEPS: Final = (
    *(OPENED, BEGAN, ENDED, RETURNED, CAUSE, SEVERITY, STATUS, ASSIGNED, REOPENED, RESOLVED, CLOSED, MERGED),
    NOTED,
)
MOST: Final = 1_000
AT_ONCE: Final = 20


def note(session: Session, problem: Problem, step: str, /, **detail: Any) -> None:
    """Add a step to a problem's timeline."""
    session.add(ProblemStep(problem_id=problem.id, step=step, detail=detail))


def read_timeline(session: Session, problem_id: UUID) -> list[ProblemStep]:
    """Return the newest steps of a problem, oldest first."""
    mine = select(ProblemStep).where(ProblemStep.problem_id == problem_id)
    return list(session.scalars(mine.order_by(ProblemStep.id.desc()).limit(MOST)))[::-1]


def forget_steps(session: Session) -> int:
    """Delete what some timelines have beyond what is ever read of them; returns how many steps."""
    long = select(ProblemStep.problem_id).group_by(ProblemStep.problem_id).having(func.count() > MOST).limit(AT_ONCE)
    return sum(_cut(session, problem_id) for problem_id in session.scalars(long).all())


def _cut(session: Session, problem_id: UUID) -> int:
    mine = ProblemStep.problem_id == problem_id
    newest = select(ProblemStep.id).where(mine).order_by(ProblemStep.id.desc()).offset(MOST).limit(1).scalar_subquery()
    gone = delete(ProblemStep).where(mine, ProblemStep.id <= newest).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
