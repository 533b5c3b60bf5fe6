"""The timeline of a problem: each step with what it was about. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
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


def note(session: Session, problem: Problem, step: str, /, **detail: Any) -> None:
    """Add a step to a problem's timeline."""
    session.add(ProblemStep(problem_id=problem.id, step=step, detail=detail))


def read_timeline(session: Session, problem_id: UUID) -> list[ProblemStep]:
    """Return the newest steps of a problem, oldest first."""
    mine = select(ProblemStep).where(ProblemStep.problem_id == problem_id)
    return list(session.scalars(mine.order_by(ProblemStep.id.desc()).limit(MOST)))[::-1]
