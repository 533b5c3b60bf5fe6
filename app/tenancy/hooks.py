"""What higher rooms add to workspaces and organizations: reasons against a deletion, and what goes on in a workspace.
Registered at import."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from app.tenancy.models import Activity, Organization, Workspace

Objection = Callable[[Session, Workspace], None]
OrganizationObjection = Callable[[Session, Organization], None]
ReadActivity = Callable[[Session, UUID], Activity]

_objections: list[Objection] = []
_organization_objections: list[OrganizationObjection] = []
_readers: list[ReadActivity] = []


def before_deletion(objection: Objection) -> Objection:
    """Register a check that raises `WorkspaceInUse` when a workspace cannot go now."""
    _objections.append(objection)
    return objection


def before_organization_deletion(objection: OrganizationObjection) -> OrganizationObjection:
    """Register a check that raises `OrganizationInUse` when an organization cannot go now."""
    _organization_objections.append(objection)
    return objection


def tells_activity(read: ReadActivity) -> ReadActivity:
    """Register the room that knows the pipelines and executions of a workspace, given its id."""
    _readers.append(read)
    return read


def object_to_deletion(session: Session, workspace: Workspace) -> None:
    """Let everyone who registered object."""
    for objection in _objections:
        objection(session, workspace)


def object_to_organization_deletion(session: Session, organization: Organization) -> None:
    """Let everyone who registered object."""
    for objection in _organization_objections:
        objection(session, organization)


def read_activity(session: Session, workspace_id: UUID) -> Activity:
    """Return what goes on in a workspace; nothing while no room tells."""
    for read in _readers:
        return read(session, workspace_id)
    return Activity()
