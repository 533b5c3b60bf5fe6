"""Recommendations, and each time that one was applied.

open ◀──▶ dismissed          dismissed ─▶ open    when what it rests on is another
open ──▶ applied ─▶ open     when it is found again
open ──▶ resolved ─▶ open    when it is no longer found, and when it is found again
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.sre.errors import IllegalMove
from app.sre.models.scan import QUEUED, RUNNING
from app.sre.models.scan import STATUSES as JOB_STATUSES
from app.sre.recommending.findings import KINDS, PRIORITIES

OPEN: Final = "open"
DISMISSED: Final = "dismissed"
APPLIED: Final = "applied"
RESOLVED: Final = "resolved"
ADVICE_STATUSES: Final = (OPEN, DISMISSED, APPLIED, RESOLVED)

REASONS: Final = ("wrong", "not_useful", "too_risky", "not_now", "other")
MOST_FEEDBACK: Final = 50
KEY: Final = ("cluster_id", "kind", "resource_kind", "namespace", "resource_name", "container")

_MOVES: Final = {
    OPEN: {DISMISSED, APPLIED, RESOLVED},
    DISMISSED: {OPEN},
    APPLIED: {OPEN},
    RESOLVED: {OPEN},
}


class Recommendation(Base):
    """What should be done about something of a cluster; of each kind one for each thing, so that what people have said
    of it is still known when it is found again.

    `basis` is what it rests on, `settled_basis` what it rested on when it was dismissed or applied. `patch` is empty
    where there is nothing that can be applied.
    """

    __tablename__ = "recommendations"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"status IN {ADVICE_STATUSES}", name="status"),
        CheckConstraint(f"priority IN {PRIORITIES}", name="priority"),
        UniqueConstraint(*KEY, name="uq_recommendations_subject"),
        Index("ix_recommendations_organization_id_status", "organization_id", "status", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    kind: Mapped[str]
    resource_kind: Mapped[str]
    namespace: Mapped[str]
    resource_name: Mapped[str]
    container: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=OPEN, default=OPEN)
    priority: Mapped[str]
    title: Mapped[str]
    formula: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    confidence: Mapped[float] = mapped_column(Float)
    expected_effect: Mapped[dict[str, Any]]
    command: Mapped[str]
    patch: Mapped[dict[str, Any] | None]
    basis: Mapped[dict[str, Any]]
    settled_basis: Mapped[dict[str, Any] | None]
    feedback: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    found_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def itself(self) -> Recommendation:
        """What it is about is told by its own columns."""
        return self

    @property
    def can_be_applied(self) -> bool:
        """Whether there is a change that the platform can make."""
        return self.patch is not None and self.status == OPEN

    def settle(self, status: str, at: datetime) -> None:
        """It is dismissed, applied or resolved, as it rests now."""
        self._move(status)
        self.settled_basis, self.settled_at = self.basis, at

    def reopen(self) -> None:
        """It is to be looked at again."""
        self._move(OPEN)
        self.settled_basis = self.settled_at = None

    def say(self, said: dict[str, Any]) -> None:
        """Keep what somebody has said of it."""
        self.feedback = [*self.feedback, said][-MOST_FEEDBACK:]

    def _move(self, status: str) -> None:
        if status not in _MOVES[self.status]:
            raise IllegalMove(f"A recommendation that is {self.status} cannot become {status}.", status=self.status)
        self.status = status


class RecommendationApply(Base):
    """Once that a recommendation was applied, or tried. Its status is that of its job; `patch` and `facts` are what was
    to be changed, and what the object had to say for that. `outcome` is what the cluster made of it, `effect` what was
    seen a day later."""

    __tablename__ = "recommendation_applies"
    __table_args__ = (
        CheckConstraint(f"status IN {JOB_STATUSES}", name="status"),
        Index(
            "uq_recommendation_applies_unended",
            "recommendation_id",
            unique=True,
            postgresql_where=text(f"NOT dry_run AND status IN ('{QUEUED}', '{RUNNING}')"),
        ),
        Index("ix_recommendation_applies_recommendation_id_created_at", "recommendation_id", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    recommendation_id: Mapped[UUID] = mapped_column(ForeignKey("recommendations.id", ondelete="CASCADE"))
    dry_run: Mapped[bool]
    status: Mapped[str] = mapped_column(server_default=QUEUED, default=QUEUED)
    patch: Mapped[dict[str, Any]]
    facts: Mapped[dict[str, Any]]
    expected_effect: Mapped[dict[str, Any]]
    outcome: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    effect: Mapped[dict[str, Any] | None]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    measured_at: Mapped[datetime | None]


audited(Recommendation, "recommendation", ("status", "feedback"))
audited(RecommendationApply, "recommendation_apply", ("recommendation_id", "dry_run", "status"))
