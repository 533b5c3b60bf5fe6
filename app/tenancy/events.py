"""What this room announces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.kernel.events import Event


@dataclass(frozen=True, slots=True)
class OrganizationCreated(Event):
    """An organization was made."""

    type: ClassVar[str] = "organization.created"

    name: str
    owner_id: UUID


@dataclass(frozen=True, slots=True)
class _WorkspaceEvent(Event):
    workspace_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the workspace's own topic and its organization's."""
        return (f"workspace:{self.workspace_id}", f"organization:{self.organization_id}")


@dataclass(frozen=True, slots=True)
class WorkspaceCreated(_WorkspaceEvent):
    """A workspace was made."""

    type: ClassVar[str] = "workspace.created"

    name: str
    created_by: UUID


@dataclass(frozen=True, slots=True)
class WorkspaceUpdated(_WorkspaceEvent):
    """Fields of a workspace were changed; `changed` names them."""

    type: ClassVar[str] = "workspace.updated"

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceStatusChanged(_WorkspaceEvent):
    """A workspace went from one status to another."""

    type: ClassVar[str] = "workspace.status_changed"

    previous_status: str
    new_status: str


@dataclass(frozen=True, slots=True)
class WorkspaceDeleted(_WorkspaceEvent):
    """A workspace was deleted, with all that was in it."""

    type: ClassVar[str] = "workspace.deleted"

    name: str
