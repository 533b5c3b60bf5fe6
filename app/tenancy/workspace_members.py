"""Members of workspaces: who has one of the workspace roles there. A member need not be one of the organization."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.identity import (
    BUILT_IN,
    Role,
    RoleAssignment,
    Scope,
    User,
    assign_role,
    assignments_in,
    finds_scope,
    withdraw_role,
)
from app.kernel.errors import AlreadyExists, NotFound
from app.kernel.principal import Principal
from app.tenancy.models import Organization, Workspace

ROLES: Final = {role: BUILT_IN[f"workspace-{role}"].id for role in ("admin", "editor", "viewer")}


@finds_scope("organization")
def find_organization(session: Session, organization_id: UUID) -> UUID | None:
    """Return the organization's id if there is such an organization."""
    found = session.get(Organization, organization_id)
    return None if found is None else found.id


@finds_scope("workspace")
def find_workspace(session: Session, workspace_id: UUID) -> UUID | None:
    """Return the organization of a workspace."""
    found = session.get(Workspace, workspace_id)
    return None if found is None else found.organization_id


def members_of(workspace_id: UUID) -> Select[RoleAssignment]:
    """Select the members of a workspace."""
    return assignments_in(workspace_id).where(RoleAssignment.role_id.in_(ROLES.values()))


def find_member(session: Session, workspace: Workspace, user_id: UUID) -> RoleAssignment:
    """Return what a user is in a workspace; raises NotFound for one who is no member."""
    member = session.scalars(members_of(workspace.id).where(RoleAssignment.user_id == user_id)).first()
    if member is None:
        raise NotFound(resource_type="member", resource_id=str(user_id))
    return member


def add_member(
    session: Session, caller: Principal, workspace: Workspace, user: User, role: str, expires_at: datetime | None
) -> RoleAssignment:
    """Let a user in. Raises AlreadyExists for a member, Forbidden for a role beyond the caller's.

    The caller has locked the workspace: two at once would make two roles of one member.
    """
    if session.scalars(members_of(workspace.id).where(RoleAssignment.user_id == user.id)).first():
        raise AlreadyExists("The user is a member of this workspace already.")
    given = session.get_one(Role, ROLES[role])
    return assign_role(session, caller, user, given, Scope("workspace", workspace.id), expires_at)


def change_member(
    session: Session, caller: Principal, workspace: Workspace, user_id: UUID, role: str
) -> RoleAssignment:
    """Give a member another role, for as long as they have the one they have."""
    member = find_member(session, workspace, user_id)
    user, expires_at = member.user, member.expires_at
    withdraw_role(session, caller, member)
    return add_member(session, caller, workspace, user, role, expires_at)
