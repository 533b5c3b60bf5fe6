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
class _OrganizationEvent(Event):
    def topics(self) -> Iterable[str]:
        """Return the organization's topic."""
        return (f"organization:{self.organization_id}",)


@dataclass(frozen=True, slots=True)
class OrganizationUpdated(_OrganizationEvent):
    """Fields of an organization were changed; `changed` names them."""

    type: ClassVar[str] = "organization.updated"

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrganizationDeleted(_OrganizationEvent):
    """An organization was deleted."""

    type: ClassVar[str] = "organization.deleted"

    name: str


@dataclass(frozen=True, slots=True)
class OrganizationInvitationCreated(_OrganizationEvent):
    """An address was invited; which one is in the invitation, for it is nobody's business but its members'."""

    type: ClassVar[str] = "organization.invitation_created"

    invitation_id: UUID
    role: str
    invited_by: UUID


@dataclass(frozen=True, slots=True)
class OrganizationMemberAdded(_OrganizationEvent):
    """Somebody joined an organization."""

    type: ClassVar[str] = "organization.member_added"

    user_id: UUID
    role: str
    added_by: UUID


@dataclass(frozen=True, slots=True)
class OrganizationMemberRoleChanged(_OrganizationEvent):
    """A member has another role; a new owner's event is preceded by that of the owner before."""

    type: ClassVar[str] = "organization.member_role_changed"

    user_id: UUID
    previous_role: str
    new_role: str


@dataclass(frozen=True, slots=True)
class OrganizationMemberRemoved(_OrganizationEvent):
    """A member left or was removed."""

    type: ClassVar[str] = "organization.member_removed"

    user_id: UUID
    removed_by: UUID


@dataclass(frozen=True, slots=True)
class WorkspaceEvent(Event):
    """What happens to a workspace, or in it."""

    workspace_id: UUID

    def topics(self) -> Iterable[str]:
        """Return the workspace's own topic and its organization's."""
        return (f"workspace:{self.workspace_id}", f"organization:{self.organization_id}")


@dataclass(frozen=True, slots=True)
class WorkspaceCreated(WorkspaceEvent):
    """A workspace was made."""

    type: ClassVar[str] = "workspace.created"

    name: str
    created_by: UUID


@dataclass(frozen=True, slots=True)
class WorkspaceUpdated(WorkspaceEvent):
    """Fields of a workspace were changed; `changed` names them."""

    type: ClassVar[str] = "workspace.updated"

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceStatusChanged(WorkspaceEvent):
    """A workspace went from one status to another."""

    type: ClassVar[str] = "workspace.status_changed"

    previous_status: str
    new_status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceDeleted(WorkspaceEvent):
    """A workspace was deleted, with all that was in it."""

    type: ClassVar[str] = "workspace.deleted"

    name: str
