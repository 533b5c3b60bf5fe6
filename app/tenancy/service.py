"""What is done with organizations and workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity import OWNER, Membership, User, after_registration, forget_place
from app.kernel.errors import FieldError, Invalid
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.tenancy.errors import refuse_taken_slug
from app.tenancy.events import (
    OrganizationCreated,
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceStatusChanged,
    WorkspaceUpdated,
)
from app.tenancy.hooks import object_to_deletion
from app.tenancy.models import Organization, Workspace
from app.tenancy.repository import RepositoryRules, find_branch_fault, find_url_fault
from app.tenancy.slugs import make_slug


@after_registration
def found_personal_organization(session: Session, user: User) -> None:
    """Give a new account the organization that is theirs alone."""
    personal_organization(session, user.id)


def personal_organization(session: Session, user_id: UUID) -> UUID:
    """Return the id of a user's personal organization, founded now if there is none."""
    user = session.get_one(User, user_id)
    slug = base = make_slug(user.username) or "user"
    while (found := _find_personal(session, user_id)) is None:
        founded = _insert_personal(session, user, slug)
        if founded is not None:
            _establish(session, founded, user.username, user_id)
        slug = f"{base[:54]}-{new_id().hex[-8:]}"
    return found


def _find_personal(session: Session, user_id: UUID) -> UUID | None:
    return session.scalars(
        select(Organization.id).where(Organization.owner_id == user_id, Organization.is_personal)
    ).one_or_none()


def _insert_personal(session: Session, user: User, slug: str) -> UUID | None:
    """Insert unless the slug is taken; without an error, which would end the transaction around it."""
    values = {"id": new_id(), "owner_id": user.id, "name": user.username, "slug": slug, "is_personal": True}
    statement = insert(Organization).values(values).on_conflict_do_nothing()
    return session.scalars(statement.returning(Organization.id)).one_or_none()


def create_organization(session: Session, owner_id: UUID, fields: dict[str, Any]) -> Organization:
    """Make an organization owned by a user. Raises SlugTaken."""
    fields = {"slug": _slug_of(fields["name"], "organization"), **fields}
    organization = Organization(owner_id=owner_id, **fields)
    session.add(organization)
    with refuse_taken_slug("uq_organizations_slug"):
        session.flush()
    _establish(session, organization.id, organization.name, owner_id)
    session.refresh(organization)
    return organization


def _establish(session: Session, organization_id: UUID, name: str, owner_id: UUID) -> None:
    session.add(Membership(user_id=owner_id, organization_id=organization_id, role=OWNER))
    announce(session, OrganizationCreated(organization_id, name, owner_id))
    session.flush()


def create_workspace(
    session: Session, organization_id: UUID, owner_id: UUID, fields: dict[str, Any], rules: RepositoryRules
) -> Workspace:
    """Make a workspace in an organization. Raises SlugTaken; Invalid for its repository or branch."""
    _check_repository(fields, rules)
    fields = {"slug": _slug_of(fields["name"], "workspace"), **fields}
    workspace = Workspace(organization_id=organization_id, owner_id=owner_id, **fields)
    session.add(workspace)
    with refuse_taken_slug("uq_workspaces_organization_id_slug"):
        session.flush()
    announce(session, WorkspaceCreated(organization_id, workspace.id, workspace.name, owner_id))
    return workspace


def change_workspace(session: Session, workspace: Workspace, fields: dict[str, Any], rules: RepositoryRules) -> None:
    """Write the given fields. Raises SlugTaken; Invalid for its repository or branch."""
    _check_repository(fields, rules)
    previous_status = workspace.status
    changed = tuple(sorted(name for name, value in fields.items() if getattr(workspace, name) != value))
    for name in changed:
        setattr(workspace, name, fields[name])
    with refuse_taken_slug("uq_workspaces_organization_id_slug"):
        session.flush()
    whose = (workspace.organization_id, workspace.id)
    if changed:
        announce(session, WorkspaceUpdated(*whose, changed))
    if workspace.status != previous_status:
        announce(session, WorkspaceStatusChanged(*whose, previous_status, workspace.status))


def delete_workspace(session: Session, workspace: Workspace) -> None:
    """Delete a workspace and, by the database's cascades, what is in it. Raises WorkspaceInUse if a room objects."""
    object_to_deletion(session, workspace)
    forget_place(session, workspace.id)
    session.delete(workspace)
    announce(session, WorkspaceDeleted(workspace.organization_id, workspace.id, workspace.name))
    session.flush()


def _check_repository(fields: dict[str, Any], rules: RepositoryRules) -> None:
    url, branch = fields.get("repository_url"), fields.get("branch")
    faults = {
        "repository_url": find_url_fault(url, rules) if url is not None else None,
        "branch": find_branch_fault(branch) if branch is not None else None,
    }
    errors = [FieldError(field, message) for field, message in faults.items() if message]
    if errors:
        raise Invalid(errors=errors)


def _slug_of(name: str, kind: str) -> str:
    return make_slug(name) or f"{kind}-{new_id().hex[-8:]}"
