"""What phases work with: a cluster, what has to be there by the newest word of the database, and how to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from app.tenancy import WantedSpace, WantedWorkspace
from tasks.clusters.gateways.kubernetes import Cluster

Look = Callable[[], WantedWorkspace]


@dataclass(frozen=True, slots=True)
class Site:
    """Where an operation is at work. `look` tells what is wanted as it was read for this turn, `look_again` as it is
    now; `project_id` is the project the operation is about, `parent_id` the one that its share comes from.
    `labels` are those that it had before or is to have."""

    cluster: Cluster
    look: Look
    look_again: Look
    provisioning_id: UUID
    project_id: UUID | None = None
    parent_id: UUID | None = None
    verify_image: str = ""
    labels: frozenset[str] = frozenset()

    @property
    def space(self) -> WantedSpace:
        """The space the operation is about."""
        return self.look().project(self.project_id)
