"""What SRE announces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.kernel.events import Event


@dataclass(frozen=True, slots=True)
class AnomalyDetected(Event):
    """A scan has found an anomaly; `start` is RFC 3339."""

    type: ClassVar[str] = "anomaly.detected"

    anomaly_id: UUID
    scan_id: UUID
    workspace_id: UUID | None
    cluster_id: UUID | None
    series: str
    start: str
    severity: str
    score: float
    reason: str

    def topics(self) -> Iterable[str]:
        """Return the topics of all places that it lies in."""
        inner = (("cluster", self.cluster_id), ("workspace", self.workspace_id))
        return (f"organization:{self.organization_id}", *(f"{name}:{place}" for name, place in inner if place))


@dataclass(frozen=True, slots=True)
class _OfProblem(Event):
    problem_id: UUID
    workspace_id: UUID | None
    cluster_id: UUID | None
    title: str
    severity: str
    cause: dict[str, Any]

    def topics(self) -> Iterable[str]:
        """Return the topics of all places that it lies in."""
        inner = (("cluster", self.cluster_id), ("workspace", self.workspace_id))
        return (f"organization:{self.organization_id}", *(f"{name}:{place}" for name, place in inner if place))


@dataclass(frozen=True, slots=True)
class ProblemOpened(_OfProblem):
    """Something goes wrong; `cause` is what is suspected to have come first (`kind`, `about`, `message`, `confidence`).
    With `reopened` it is a problem that was over and is back."""

    type: ClassVar[str] = "problem.opened"

    reopened: bool


@dataclass(frozen=True, slots=True)
class ProblemResolved(_OfProblem):
    """A problem is over: nothing of it holds any more (`automatic`), somebody says so, or it was found to be part of
    another."""

    type: ClassVar[str] = "problem.resolved"

    resolved_by: UUID | None
    automatic: bool
    merged_into: UUID | None


@dataclass(frozen=True, slots=True)
class RecommendationCreated(Event):
    """Something should be done about an object of a cluster; told again when one that was settled is open again."""

    type: ClassVar[str] = "recommendation.created"

    recommendation_id: UUID
    cluster_id: UUID
    kind: str
    resource_kind: str
    namespace: str
    resource_name: str
    container: str
    priority: str
    confidence: float
    title: str

    def topics(self) -> Iterable[str]:
        """Return the cluster's topic and its organization's."""
        return (f"cluster:{self.cluster_id}", f"organization:{self.organization_id}")
