"""Own roles, and who holds which role where. Nobody gives, changes or takes away what they do not hold themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.identity.callers import is_in_force
from app.identity.errors import AlreadyAssigned, BuiltInRole, RoleInUse, RoleTaken
from app.identity.events import RoleAssigned, RoleWithdrawn
from app.identity.models import Membership, Role, RoleAssignment, User, accounts
from app.identity.permissions import BUILT_IN
from app.identity.scopes import Scope
from app.kernel.clock import database_now
from app.kernel.errors import FieldError, Forbidden, Invalid, NotFound
from app.kernel.events import announce
from app.kernel.principal import Principal
from app.kernel.visibility import visible

MOST_OWN_ROLES = 100
# Each request of a user reads what they hold: nobody may make that long for somebody else.
MOST_ASSIGNMENTS = 200
BUILT_IN_IDS = frozenset(role.id for role in BUILT_IN.values())


def refuse_beyond(caller: Principal, permissions: Iterable[str], *places: UUID) -> None:
    """Raise Forbidden, which names the first permission that the caller does not hold in any of the places."""
    for permission in caller.lacks(permissions, *places):
        raise Forbidden("You cannot give or take what you do not hold yourself.", required_permission=permission)


def visible_roles(caller: Principal) -> Select[Role]:
    """Select the built-in roles and those of the organizations in which the caller may read them."""
    return select(Role).where(or_(Role.organization_id.is_(None), visible(caller, "roles:read", Role.organization_id)))


def filter_roles(roles: Select[Role], filters: dict[str, Any]) -> Select[Role]:
    """Apply the filters of GET /roles."""
    if "organization_id" in filters:
        roles = roles.where(Role.organization_id == filters["organization_id"])
    if "search" in filters:
        roles = roles.where(Role.name.icontains(filters["search"], autoescape=True))
    return roles


def visible_assignments(caller: Principal) -> Select[RoleAssignment]:
    """Select who holds which role, where the caller may read it, and the caller's own; without what has expired."""
    theirs = visible(caller, "roles:read", RoleAssignment.organization_id, RoleAssignment.place)
    return select(RoleAssignment).where(or_(theirs, RoleAssignment.user_id == caller.user_id), is_in_force())


def visible_users(caller: Principal) -> Select[User]:
    """Select the users whom the caller meets somewhere as members, and the caller; an administrator sees all."""
    users = accounts()
    if caller.may("users:administer"):
        return users
    meets = caller.places_with("members:read")
    members = select(Membership.user_id).where(Membership.organization_id.in_(meets))
    holders = select(RoleAssignment.user_id).where(
        or_(RoleAssignment.organization_id.in_(meets), RoleAssignment.place.in_(meets))
    )
    return users.where(or_(User.id == caller.user_id, User.id.in_(members), User.id.in_(holders)))


def find_user(session: Session, caller: Principal, user_id: UUID) -> User:
    """Return a user the caller may know of; raises NotFound."""
    user = session.scalars(visible_users(caller).where(User.id == user_id)).one_or_none()
    if user is None:
        raise NotFound(resource_type="user", resource_id=str(user_id))
    return user


def find_account(session: Session, email: str) -> User:
    """Return the user of an address; raises NotFound."""
    user = session.scalars(accounts().where(func.lower(User.email) == email.lower())).one_or_none()
    if user is None:
        raise NotFound("Nobody with this address has an account.", resource_type="user", resource_id=email)
    return user


def assignments_in(place: UUID) -> Select[RoleAssignment]:
    """Select who holds a role in a place itself."""
    return select(RoleAssignment).where(RoleAssignment.place == place, is_in_force())


def create_role(session: Session, caller: Principal, organization_id: UUID, fields: dict[str, Any]) -> Role:
    """Make an own role of an organization. Raises RoleTaken, Forbidden, or Invalid when there are too many."""
    refuse_beyond(caller, fields["permissions"], organization_id)
    count = select(func.count()).where(Role.organization_id == organization_id)
    if session.execute(count).scalar_one() >= MOST_OWN_ROLES:
        raise Invalid(f"An organization has at most {MOST_OWN_ROLES} roles of its own.")
    role = Role(organization_id=organization_id, created_by=caller.user_id)
    session.add(role)
    return _write_role(session, role, fields)


def change_role(session: Session, caller: Principal, role: Role, fields: dict[str, Any]) -> Role:
    """Write the given fields of an own role; its holders have it so from their next request on."""
    if role.organization_id is None:
        raise BuiltInRole
    refuse_beyond(caller, role.held.symmetric_difference(fields.get("permissions", role.held)), role.organization_id)
    return _write_role(session, role, fields)


def _write_role(session: Session, role: Role, fields: dict[str, Any]) -> Role:
    if fields.get("name") in BUILT_IN:
        raise RoleTaken("A built-in role has this name.", field="name")
    if "permissions" in fields:
        fields = {**fields, "permissions": sorted(set(fields["permissions"]))}
    for name, value in fields.items():
        setattr(role, name, value)
    try:
        session.flush()
    except IntegrityError as error:
        raise RoleTaken(field="name") from error
    return role


def delete_role(session: Session, role: Role) -> None:
    """Delete an own role, whose row the caller has locked. Raises BuiltInRole, or RoleInUse with how many hold it."""
    if role.is_built_in:
        raise BuiltInRole
    holders = select(func.count()).where(RoleAssignment.role_id == role.id, is_in_force())
    if count := session.execute(holders).scalar_one():
        raise RoleInUse(assignments=count)
    session.delete(role)
    session.flush()


def assign_role(
    session: Session, caller: Principal, user: User, role: Role, scope: Scope, expires_at: datetime | None = None
) -> RoleAssignment:
    """Give a user a role in a place. Raises Forbidden for a role beyond the caller's, Invalid for one that is not given
    there or is over already, AlreadyAssigned."""
    organization_id = scope.organization(session)
    _check_fit(role, scope, organization_id)
    refuse_beyond(caller, role.held, organization_id, scope.id, scope.place)
    if expires_at is not None and expires_at <= session.execute(select(database_now())).scalar_one():
        raise Invalid(errors=[FieldError("expires_at", "Must lie ahead.")])
    assignment = RoleAssignment(
        user=user,
        role=role,
        organization_id=organization_id,
        scope_type=scope.type,
        scope_id=scope.id,
        namespace=scope.namespace,
        place=scope.place,
        expires_at=expires_at,
        created_by=caller.user_id,
    )
    _make_room(session, user.id, organization_id)
    session.add(assignment)
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyAssigned from error
    announce(session, RoleAssigned(organization_id, user.id, role.name, scope.type, scope.id))
    return assignment


def _check_fit(role: Role, scope: Scope, organization_id: UUID) -> None:
    if role.organization_id not in (None, organization_id):
        raise NotFound(resource_type="role", resource_id=str(role.id))
    if role.name.startswith("organization-") and role.is_built_in:
        raise Invalid(errors=[FieldError("role_id", "Is what members of an organization have: change the member.")])
    if scope.type not in role.scopes:
        allowed = " or ".join(role.scopes)
        raise Invalid(errors=[FieldError("scope.type", f"The role {role.name} is given in a {allowed}.")])


def _make_room(session: Session, user_id: UUID, organization_id: UUID) -> None:
    """Forget what is over, which must not stand in the way of the same once more; refuse what would be too much."""
    over = delete(RoleAssignment).where(RoleAssignment.user_id == user_id, ~is_in_force())
    session.execute(over.execution_options(synchronize_session=False))
    held = select(func.count(RoleAssignment.id)).where(
        RoleAssignment.user_id == user_id, RoleAssignment.organization_id == organization_id
    )
    if session.execute(held).scalar_one() >= MOST_ASSIGNMENTS:
        raise Invalid(f"A user has at most {MOST_ASSIGNMENTS} roles in an organization.")


def withdraw_role(session: Session, caller: Principal, assignment: RoleAssignment) -> None:
    """Take a role from a user; it is gone at their next request. Raises Forbidden for a role beyond the caller's."""
    refuse_beyond(caller, assignment.role.held, assignment.organization_id, assignment.scope_id, assignment.place)
    given = (assignment.user_id, assignment.role.name, assignment.scope_type, assignment.scope_id)
    session.delete(assignment)
    session.flush()
    announce(session, RoleWithdrawn(assignment.organization_id, *given))


def forget_place(session: Session, place: UUID) -> None:
    """Take away what anybody holds in a place that is being deleted."""
    session.execute(delete(RoleAssignment).where(or_(RoleAssignment.place == place, RoleAssignment.scope_id == place)))
