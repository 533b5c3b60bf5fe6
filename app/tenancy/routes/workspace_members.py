"""Members of workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import load, principal, requires, transaction
from app.identity import RoleAssignment, find_account, find_user, withdraw_role
from app.tenancy import workspace_members as service
from app.tenancy.models import Workspace
from app.tenancy.routes.workspaces import workspaces
from app.tenancy.schemas import members as schemas

SORT = {"created_at": RoleAssignment.created_at}


@workspaces.route("/workspaces/<uuid:workspace_id>/members")
class WorkspaceMembers(MethodView):
    """Who has a part in a workspace alone; members of its organization are not among them."""

    @workspaces.paged(schemas.WorkspaceMember, sort=SORT, default="created_at")
    @requires("members:read")
    def get(self, workspace_id: UUID) -> Select[RoleAssignment]:
        """The members of a workspace"""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return service.members_of(workspace_id)

    @workspaces.arguments(schemas.WorkspaceMemberAddition)
    @workspaces.response(201, schemas.WorkspaceMember)
    @requires("members:write")
    def post(self, body: dict[str, Any], workspace_id: UUID) -> RoleAssignment:
        """Let somebody who has an account into a workspace, with a role there and nowhere else"""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id, for_update=True)
            user = _find(session, body)
            return service.add_member(session, principal(), workspace, user, body["role"], body["expires_at"])


@workspaces.route("/workspaces/<uuid:workspace_id>/members/<uuid:user_id>")
class OneWorkspaceMember(MethodView):
    """A member of a workspace."""

    @workspaces.response(200, schemas.WorkspaceMember)
    @requires("members:read")
    def get(self, workspace_id: UUID, user_id: UUID) -> RoleAssignment:
        """A member of a workspace"""
        with transaction() as session:
            return service.find_member(session, load(session, Workspace, workspace_id), user_id)

    @workspaces.response(204)
    @requires("members:write")
    def delete(self, workspace_id: UUID, user_id: UUID) -> None:
        """Remove a member; they see nothing more from their next request on, and their streams end within seconds"""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id, for_update=True)
            withdraw_role(session, principal(), service.find_member(session, workspace, user_id))


@workspaces.route("/workspaces/<uuid:workspace_id>/members/<uuid:user_id>/role")
class WorkspaceMemberRole(MethodView):
    """The role of a member of a workspace."""

    @workspaces.arguments(schemas.WorkspaceRole)
    @workspaces.response(200, schemas.WorkspaceMember)
    @requires("members:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, user_id: UUID) -> RoleAssignment:
        """Give a member of a workspace another role there"""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id, for_update=True)
            return service.change_member(session, principal(), workspace, user_id, body["role"])


def _find(session: Session, body: dict[str, Any]) -> Any:
    if "user_id" in body:
        return find_user(session, principal(), body["user_id"])
    return find_account(session, body["email"])
