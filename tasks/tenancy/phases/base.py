"""What phases work with: a cluster, what has to be there by the newest word of the database, and how to wait."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from app.clusters import Access, AccessRules
from app.tenancy import WantedSpace, WantedWorkspace
from tasks.clusters.gateways.kubernetes import Cluster
from tasks.tools import VirtualRules

Look = Callable[[], WantedWorkspace]


@dataclass(frozen=True, slots=True)
class Inside:
    """The virtual cluster of a workspace, seen from outside: how it is made, where it is reached, what enters it with
    an access, and what keeps that for others."""

    rules: VirtualRules
    address: str
    access_rules: AccessRules
    enter: Callable[[Access], AbstractContextManager[Cluster]]
    keep: Callable[[Access, str], None]
    kept: Callable[[], Access | None]


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
    inside: Inside | None = None

    @property
    def space(self) -> WantedSpace:
        """The space the operation is about."""
        return self.look().project(self.project_id)
