"""What is done with organizations that exist: changed, deleted, and their members given another role or removed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from app.identity import ADMIN, OWNER, PERMISSIONS_OF_ROLE, Membership, User, forget_member, refuse_beyond
from app.kernel.clock import database_now
from app.kernel.errors import NotFound
from app.kernel.events import announce
from app.kernel.principal import Principal
from app.tenancy.errors import OrganizationInUse, OwnerStays, PersonalOrganization, refuse_taken_slug
from app.tenancy.events import (
    OrganizationDeleted,
    OrganizationMemberRemoved,
    OrganizationMemberRoleChanged,
    OrganizationUpdated,
)
from app.tenancy.hooks import object_to_organization_deletion
from app.tenancy.models import Invitation, Organization, Workspace


def change_organization(session: Session, organization: Organization, fields: dict[str, Any]) -> Organization:
    """Write the given fields. Raises SlugTaken."""
    changed = tuple(sorted(name for name, value in fields.items() if getattr(organization, name) != value))
    for name in changed:
        setattr(organization, name, fields[name])
    with refuse_taken_slug("uq_organizations_slug"):
        session.flush()
    if changed:
        announce(session, OrganizationUpdated(organization.id, changed))
        session.refresh(organization)
    return organization


def delete_organization(session: Session, organization: Organization) -> None:
    """Delete an organization, whose row the caller has locked. Raises PersonalOrganization, or OrganizationInUse with
    how many workspaces, or what else, stand in the way."""
    if organization.is_personal:
        raise PersonalOrganization("A personal organization stays as long as its owner has an account.")
    workspaces = select(func.count()).where(Workspace.organization_id == organization.id)
    if count := session.execute(workspaces).scalar_one():
        raise OrganizationInUse(workspaces=count)
    object_to_organization_deletion(session, organization)
    announce(session, OrganizationDeleted(organization.id, organization.name))
    session.delete(organization)
    session.flush()


def members_of(organization_id: UUID, filters: dict[str, Any]) -> Select[Membership]:
    """Select the members of an organization; filters: role, search in name and address."""
    members = select(Membership).where(Membership.organization_id == organization_id)
    if "role" in filters:
        members = members.where(Membership.role == filters["role"])
    if "search" in filters:
        found = (column.icontains(filters["search"], autoescape=True) for column in (User.username, User.email))
        members = members.where(Membership.user_id.in_(select(User.id).where(next(found) | next(found))))
    return members


def is_member(session: Session, organization_id: UUID, user_id: UUID) -> bool:
    """Tell whether a user is a member."""
    mine = exists().where(Membership.organization_id == organization_id, Membership.user_id == user_id)
    return bool(session.scalar(select(mine)))


def find_member(session: Session, organization_id: UUID, user_id: UUID) -> Membership:
    """Return a user's membership; raises NotFound for one who is no member."""
    mine = select(Membership).where(Membership.organization_id == organization_id, Membership.user_id == user_id)
    member = session.scalars(mine).one_or_none()
    if member is None:
        raise NotFound(resource_type="member", resource_id=str(user_id))
    return member


def change_member(
    session: Session, caller: Principal, organization: Organization, user_id: UUID, role: str
) -> Membership:
    """Give a member of an organization, whose row the caller has locked, another role.

    To make somebody the owner transfers the organization: the owner before becomes an administrator. Raises Forbidden
    for a role beyond the caller, OwnerStays, PersonalOrganization.
    """
    member = find_member(session, organization.id, user_id)
    if member.role == role:
        return member
    refuse_beyond(caller, PERMISSIONS_OF_ROLE[member.role] | PERMISSIONS_OF_ROLE[role], organization.id)
    if member.role == OWNER:
        raise OwnerStays
    if role == OWNER:
        _step_down(session, organization, user_id)
    _give(session, member, role)
    return member


def _step_down(session: Session, organization: Organization, heir_id: UUID) -> None:
    if organization.is_personal:
        raise PersonalOrganization("A personal organization cannot be given away.")
    _give(session, find_member(session, organization.id, organization.owner_id), ADMIN)
    organization.owner_id = heir_id


def _give(session: Session, member: Membership, role: str) -> None:
    previous, member.role = member.role, role
    session.flush()
    announce(session, OrganizationMemberRoleChanged(member.organization_id, member.user_id, previous, role))


def remove_member(session: Session, caller: Principal, organization: Organization, user_id: UUID) -> None:
    """Remove a member with all they hold in the organization, their keys of it and their invitations to it.

    Raises OwnerStays; Forbidden for a member whose role is beyond the caller's, unless it is the caller who leaves.
    """
    member = find_member(session, organization.id, user_id)
    if member.role == OWNER:
        raise OwnerStays
    if user_id != caller.user_id:
        refuse_beyond(caller, PERMISSIONS_OF_ROLE[member.role], organization.id)
    open_invitations = select(Invitation).where(
        Invitation.organization_id == organization.id, Invitation.invited_by == user_id, Invitation.is_open()
    )
    for invitation in session.scalars(open_invitations):
        invitation.cancelled_at = database_now()
    forget_member(session, member)
    announce(session, OrganizationMemberRemoved(organization.id, user_id, caller.user_id))
