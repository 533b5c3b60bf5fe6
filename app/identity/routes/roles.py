"""Permissions, roles, and who holds which role where."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Blueprint, check, load, principal, requires, transaction
from app.identity import roles as service
from app.identity.models import Role, RoleAssignment
from app.identity.permissions import BUILT_IN, GRANTABLE, PERMISSIONS
from app.identity.schemas import roles as schemas
from app.identity.scopes import Scope
from app.kernel.errors import NotFound

roles = Blueprint("roles", description="What may be permitted, the roles that hold it, and who holds them where")

SORT = {"name": Role.name, "created_at": Role.created_at}


@roles.route("/permissions")
class Permissions(MethodView):
    """All there is to be permitted."""

    @roles.response(200, schemas.Permission(many=True))
    @requires("account:read", own=True)
    def get(self) -> list[dict[str, Any]]:
        """All permissions, and the built-in roles that hold them"""
        return [_describe(name) for name in sorted(PERMISSIONS)]


@roles.route("/roles")
class Roles(MethodView):
    """Built-in roles, and the organizations' own."""

    @roles.paged(schemas.Role, sort=SORT, default="name", filters=schemas.RoleFilters)
    @requires("roles:read")
    def get(self, filters: dict[str, Any]) -> Select[Role]:
        """The built-in roles, and those of the caller's organizations"""
        return service.filter_roles(service.visible_roles(principal()), filters)

    @roles.arguments(schemas.RoleCreation)
    @roles.response(201, schemas.Role)
    @requires("roles:write")
    def post(self, body: dict[str, Any]) -> Role:
        """Make a role of an organization, out of permissions the caller holds there"""
        organization_id = body.pop("organization_id")
        check(organization_id)
        with transaction() as session:
            return service.create_role(session, principal(), organization_id, body)


@roles.route("/roles/<uuid:role_id>")
class OneRole(MethodView):
    """A role."""

    @roles.response(200, schemas.Role)
    @requires("roles:read")
    def get(self, role_id: UUID) -> Role:
        """A role"""
        with transaction() as session:
            return _load_role(session, role_id)

    @roles.arguments(schemas.RoleReplacement)
    @roles.response(200, schemas.Role)
    @roles.refuses(409)
    @requires("roles:write")
    def put(self, body: dict[str, Any], role_id: UUID) -> Role:
        """Replace a role; whoever has it has it so from their next request on"""
        return _change(role_id, body)

    @roles.arguments(schemas.RoleChange)
    @roles.response(200, schemas.Role)
    @roles.refuses(409)
    @requires("roles:write")
    def patch(self, body: dict[str, Any], role_id: UUID) -> Role:
        """Change a role; whoever has it has it so from their next request on"""
        return _change(role_id, body)

    @roles.response(204)
    @roles.refuses(409)
    @requires("roles:write")
    def delete(self, role_id: UUID) -> None:
        """Delete a role that nobody has"""
        with transaction() as session:
            service.delete_role(session, _load_role(session, role_id, for_update=True))


@roles.route("/users/<uuid:user_id>/roles")
class UserRoles(MethodView):
    """The roles of a user."""

    @roles.paged(schemas.RoleAssignment, sort={"created_at": RoleAssignment.created_at}, default="-created_at")
    @requires("roles:read")
    def get(self, user_id: UUID) -> Select[RoleAssignment]:
        """The roles a user has, where the caller may know it; those of members are with their organizations"""
        with transaction() as session:
            service.find_user(session, principal(), user_id)
        return service.visible_assignments(principal()).where(RoleAssignment.user_id == user_id)

    @roles.arguments(schemas.RoleGift)
    @roles.response(201, schemas.RoleAssignment)
    @requires("roles:write")
    def post(self, body: dict[str, Any], user_id: UUID) -> RoleAssignment:
        """Give a user a role in an organization, workspace, cluster or namespace, for good or for a time"""
        scope = Scope(**body["scope"])
        with transaction() as session:
            check(scope.organization(session), scope.id, scope.place, kind=scope.type, row_id=scope.id)
            user, role = service.find_user(session, principal(), user_id), _load_role(session, body["role_id"])
            return service.assign_role(session, principal(), user, role, scope, body["expires_at"])


@roles.route("/users/<uuid:user_id>/roles/<uuid:assignment_id>")
class UserRole(MethodView):
    """A role of a user."""

    @roles.response(204)
    @requires("roles:write")
    def delete(self, user_id: UUID, assignment_id: UUID) -> None:
        """Take a role from a user; it is gone at their next request, and their streams end within seconds"""
        with transaction() as session:
            assignment = load(session, RoleAssignment, assignment_id)
            if assignment.user_id != user_id:
                raise NotFound(resource_type="role_assignment", resource_id=str(assignment_id))
            service.withdraw_role(session, principal(), assignment)


def _change(role_id: UUID, body: dict[str, Any]) -> Role:
    with transaction() as session:
        return service.change_role(session, principal(), _load_role(session, role_id, for_update=True), body)


def _load_role(session: Session, role_id: UUID, *, for_update: bool = False) -> Role:
    """Return a role that the caller may read, or, to be changed, one that the caller may change."""
    if role_id in service.BUILT_IN_IDS:
        return session.get_one(Role, role_id)
    return load(session, Role, role_id, for_update=for_update)


def _describe(name: str) -> dict[str, Any]:
    area, _, verb = name.partition(":")
    holders = [role.name for role in BUILT_IN.values() if name in role.permissions]
    return {"name": name, "area": area, "verb": verb, "grantable": name in GRANTABLE, "roles": holders}
