"""What SRE announces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
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
