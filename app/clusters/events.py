"""What clusters announce."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from app.kernel.events import Event


@dataclass(frozen=True, slots=True)
class _OfCluster(Event):
    cluster_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the cluster's own topic and its organization's."""
        return (f"cluster:{self.cluster_id}", f"organization:{self.organization_id}")


@dataclass(frozen=True, slots=True)
class ClusterCreated(_OfCluster):
    """A cluster was registered, or is being made."""

    type: ClassVar[str] = "cluster.created"

    name: str
    provider: str


@dataclass(frozen=True, slots=True)
class ClusterUpdated(_OfCluster):
    """Fields of a cluster were changed; `changed` names them, `credentials` among them."""

    type: ClassVar[str] = "cluster.updated"

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterDeleted(_OfCluster):
    """A cluster is gone."""

    type: ClassVar[str] = "cluster.deleted"

    name: str


@dataclass(frozen=True, slots=True)
class ClusterHealthChanged(_OfCluster):
    """A cluster went from one status to another; `step` and `code` say where a check failed, and how."""

    type: ClassVar[str] = "cluster.health_changed"

    previous_status: str
    new_status: str
    reason: str | None
    step: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class ClusterInventoryChanged(_OfCluster):
    """What there is on a cluster is another than before: for each kind how many were added, changed and removed, with
    the first names of each."""

    type: ClassVar[str] = "cluster.inventory_changed"

    changes: dict[str, Any]
