"""What is announced of workspaces and projects on clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.tenancy.events import WorkspaceEvent


@dataclass(frozen=True, slots=True)
class _OfProvisioning(WorkspaceEvent):
    project_id: UUID | None
    provisioning_id: UUID
    operation: str
    phase: str | None
    percent: float
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class ProvisioningProgress(_OfProvisioning):
    """A phase has begun, or waits; `seconds` says how long each finished one took. `undoing` tells the direction."""

    type: ClassVar[str] = "provisioning.progress"

    reason: str | None
    undoing: bool


@dataclass(frozen=True, slots=True)
class ProvisioningCompleted(_OfProvisioning):
    """All phases hold."""

    type: ClassVar[str] = "provisioning.completed"


@dataclass(frozen=True, slots=True)
class ProvisioningFailed(_OfProvisioning):
    """A phase failed, or the job was cancelled; what was made is being taken back."""

    type: ClassVar[str] = "provisioning.failed"

    code: str
    reason: str
    cancelled: bool


@dataclass(frozen=True, slots=True)
class WorkspaceRepaired(WorkspaceEvent):
    """Something on the cluster was not as it had to be, and was set right; see the workspace's repairs."""

    type: ClassVar[str] = "workspace.repaired"

    namespace: str
    kind: str
    name: str
    what: str
    fields: tuple[str, ...]
    managers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _OfProject(WorkspaceEvent):
    project_id: UUID


@dataclass(frozen=True, slots=True)
class ProjectCreated(_OfProject):
    """A project was made, or is being made."""

    type: ClassVar[str] = "project.created"

    name: str


@dataclass(frozen=True, slots=True)
class ProjectUpdated(_OfProject):
    """Fields of a project were changed; `changed` names them."""

    type: ClassVar[str] = "project.updated"

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectStatusChanged(_OfProject):
    """A project went from one status to another."""

    type: ClassVar[str] = "project.status_changed"

    previous_status: str
    new_status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectDeleted(_OfProject):
    """A project was deleted, with all that was in its namespace."""

    type: ClassVar[str] = "project.deleted"

    name: str


@dataclass(frozen=True, slots=True)
class ProjectMembersChanged(_OfProject):
    """Somebody is a member of a project, is one in another role, or is one no longer."""

    type: ClassVar[str] = "project.members_changed"

    user_id: UUID
    role: str | None
