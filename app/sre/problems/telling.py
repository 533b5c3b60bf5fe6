"""What is announced of problems. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.events import announce
from app.sre.events import ProblemOpened, ProblemResolved
from app.sre.models import Problem


def tell_opened(session: Session, problem: Problem, *, reopened: bool = False) -> None:
    """Announce a problem that is new, or back."""
    announce(session, ProblemOpened(**_said(problem), reopened=reopened))


def tell_resolved(session: Session, problem: Problem, by: UUID | None) -> None:
    """Announce that a problem is over, or is part of another."""
    over = ProblemResolved(**_said(problem), resolved_by=by, automatic=by is None, merged_into=problem.merged_into)
    announce(session, over)


def _said(problem: Problem) -> dict[str, Any]:
    same = ("organization_id", "workspace_id", "cluster_id", "title", "severity")
    cause = {name: problem.cause[name] for name in ("kind", "about", "message", "confidence")}
    return {name: getattr(problem, name) for name in same} | {"problem_id": problem.id, "cause": cause}
