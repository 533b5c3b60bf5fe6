"""What monitoring announces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.kernel.events import Event


@dataclass(frozen=True, slots=True)
class _OfAlert(Event):
    alert_id: UUID
    rule_id: UUID | None
    group_id: UUID | None
    workspace_id: UUID | None
    cluster_id: UUID | None
    name: str
    severity: str
    labels: dict[str, Any]
    title: str
    description: str
    value: float | None
    routes: list[Any]

    def topics(self) -> Iterable[str]:
        """Return the topics of all places that it lies in."""
        inner = (("cluster", self.cluster_id), ("workspace", self.workspace_id))
        return (f"organization:{self.organization_id}", *(f"{name}:{place}" for name, place in inner if place))


@dataclass(frozen=True, slots=True)
class AlertTriggered(_OfAlert):
    """An alert fires, and nothing mutes it; `repeated` where it was told before."""

    type: ClassVar[str] = "alert.triggered"

    repeated: bool


@dataclass(frozen=True, slots=True)
class AlertResolved(_OfAlert):
    """An alert that was told of is over."""

    type: ClassVar[str] = "alert.resolved"
