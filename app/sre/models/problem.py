"""Problems, what belongs to each, and what happened to it; and the legal moves between a problem's states.

open ◀──▶ investigating ──▶ resolved ──▶ closed
open ──▶ resolved           resolved ──▶ open, investigating
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Identity, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.sre.errors import IllegalMove
from app.sre.facts import CRITICAL, INFO, WARNING
from app.sre.problems.signals import SOURCES as SIGNAL_SOURCES

OPEN: Final = "open"
INVESTIGATING: Final = "investigating"
RESOLVED: Final = "resolved"
CLOSED: Final = "closed"
PROBLEM_STATUSES: Final = (OPEN, INVESTIGATING, RESOLVED, CLOSED)
UNRESOLVED: Final = (OPEN, INVESTIGATING)
PROBLEM_SEVERITIES: Final = (CRITICAL, WARNING, INFO)

_MOVES: Final = {
    OPEN: {INVESTIGATING, RESOLVED},
    INVESTIGATING: {OPEN, RESOLVED},
    RESOLVED: {OPEN, INVESTIGATING, CLOSED},
    CLOSED: set[str](),
}


class Problem(Base):
    """What is one matter of all that is seen. `cause` is what is suspected to have come first: `kind`, `about`,
    `message`, `confidence` from 0 to 1, how many others it `explained`, and its `evidence`. `opened_at` is when the
    first of its signals began, as far as that is known. One that was found to be part of another is closed, and
    names it."""

    __tablename__ = "problems"
    __table_args__ = (
        CheckConstraint(f"status IN {PROBLEM_STATUSES}", name="status"),
        CheckConstraint(f"severity IN {PROBLEM_SEVERITIES}", name="severity"),
        Index("ix_problems_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_problems_cluster_id_status", "cluster_id", "status"),
        Index("ix_problems_assignee_id", "assignee_id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    title: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=OPEN, default=OPEN)
    severity: Mapped[str]
    cause: Mapped[dict[str, Any]]
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]
    reopened: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    merged_into: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    def investigate(self) -> None:
        """Somebody looks after it."""
        self._move(INVESTIGATING)

    def resolve(self, moment: datetime, by: UUID | None) -> None:
        """It is over, as somebody says, or as nothing of it holds any more."""
        self._move(RESOLVED)
        self.resolved_at, self.resolved_by = moment, by

    def reopen(self) -> None:
        """It is back, or nobody looks after it any more."""
        self._move(OPEN)

    def close(self, moment: datetime) -> None:
        """Nothing is left to do about it."""
        self._move(CLOSED)
        self.closed_at = moment

    def merge(self, other: UUID, moment: datetime) -> None:
        """It is part of another."""
        self.status, self.closed_at, self.merged_into = CLOSED, moment, other

    def _move(self, status: str) -> None:
        if status not in _MOVES[self.status]:
            raise IllegalMove(f"A problem that is {self.status} cannot become {status}.", status=self.status)
        if status in UNRESOLVED:
            self.reopened += self.status == RESOLVED
            self.resolved_at = self.resolved_by = None
        self.status = status


class ProblemSignal(Base):
    """A fact, an alert or an anomaly that belongs to a problem: `key` names it over all looks, `reference` is the id of
    the alert or anomaly. `explained_by` is the key of what is suspected to be behind it, and `strength` says, from 0 to
    1, how much speaks for that."""

    __tablename__ = "problem_signals"
    __table_args__ = (
        CheckConstraint(f"source IN {SIGNAL_SOURCES}", name="source"),
        CheckConstraint(f"severity IN {PROBLEM_SEVERITIES}", name="severity"),
        Index("ix_problem_signals_key", "key", postgresql_where=text("ended_at IS NULL")),
    )

    problem_id: Mapped[UUID] = mapped_column(ForeignKey("problems.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    kind: Mapped[str]
    about: Mapped[list[Any] | None]
    places: Mapped[list[Any]]
    trait: Mapped[str]
    severity: Mapped[str]
    message: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    opens: Mapped[bool]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    explained_by: Mapped[str | None]
    reason: Mapped[str | None]
    strength: Mapped[float | None] = mapped_column(Float)


class ProblemStep(Base):
    """A step of a problem's timeline: what happened, and to what."""

    __tablename__ = "problem_steps"
    __table_args__ = (Index("ix_problem_steps_problem_id", "problem_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    problem_id: Mapped[UUID] = mapped_column(ForeignKey("problems.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    step: Mapped[str]
    detail: Mapped[dict[str, Any]]


audited(Problem, "problem", ("status", "assignee_id", "severity"))
