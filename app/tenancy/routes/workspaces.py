"""Workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy.orm import Session

from app.http import Blueprint, check, load, platform, principal, requires, transaction
from app.kernel.errors import Forbidden, NotFound
from app.kernel.principal import places_of
from app.tenancy.hooks import read_activity
from app.tenancy.models import Workspace
from app.tenancy.queries import visible_workspaces
from app.tenancy.repository import RepositoryRules, is_same_host
from app.tenancy.schemas import workspaces as schemas
from app.tenancy.service import (
    change_workspace,
    create_workspace,
    delete_workspace,
    personal_organization,
)

workspaces = Blueprint("workspaces", description="Teams' places, with their repositories")

SORT = {"created_at": Workspace.created_at, "name": Workspace.name}


@workspaces.route("/workspaces")
class Workspaces(MethodView):
    """Workspaces of all organizations."""

    @workspaces.paged(schemas.Workspace, sort=SORT, default="-created_at", filters=schemas.AllWorkspaceFilters)
    @requires("workspaces:read")
    def get(self, filters: dict[str, Any]) -> Any:
        """The workspaces of all organizations the caller is in"""
        return visible_workspaces(principal(), filters)

    @workspaces.arguments(schemas.WorkspaceCreation)
    @workspaces.response(201, schemas.WorkspaceDetail)
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def post(self, body: dict[str, Any]) -> Workspace:
        """Make a workspace, in the caller's personal organization unless another is named"""
        with transaction() as session:
            named = body.pop("organization_id", None)
            return _make_workspace(session, named or personal_organization(session, principal().user_id), body)


@workspaces.route("/organizations/<uuid:organization_id>/workspaces")
class OrganizationWorkspaces(MethodView):
    """Workspaces of one organization."""

    @workspaces.paged(schemas.Workspace, sort=SORT, default="-created_at", filters=schemas.WorkspaceFilters)
    @requires("workspaces:read")
    def get(self, filters: dict[str, Any], organization_id: UUID) -> Any:
        """The workspaces of an organization"""
        check(organization_id)
        return visible_workspaces(principal(), {**filters, "organization_id": organization_id})

    @workspaces.arguments(schemas.WorkspaceInOrganization)
    @workspaces.response(201, schemas.WorkspaceDetail)
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def post(self, body: dict[str, Any], organization_id: UUID) -> Workspace:
        """Make a workspace in an organization"""
        with transaction() as session:
            return _make_workspace(session, organization_id, body)


@workspaces.route("/workspaces/<uuid:workspace_id>")
@workspaces.route("/organizations/<uuid:organization_id>/workspaces/<uuid:workspace_id>", endpoint="NestedWorkspace")
class OneWorkspace(MethodView):
    """A workspace."""

    @workspaces.response(200, schemas.WorkspaceDetail)
    @requires("workspaces:read")
    def get(self, workspace_id: UUID, organization_id: UUID | None = None) -> Workspace:
        """A workspace, with what goes on in it"""
        with transaction() as session:
            return _with_activity(session, _load_workspace(session, workspace_id, organization_id))

    @workspaces.arguments(schemas.WorkspaceReplacement)
    @workspaces.response(200, schemas.WorkspaceDetail)
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, organization_id: UUID | None = None) -> Workspace:
        """Replace a workspace's fields; those left out take their defaults, and the slug stays"""
        return _change(body, workspace_id, organization_id)

    @workspaces.arguments(schemas.WorkspaceChange)
    @workspaces.response(200, schemas.WorkspaceDetail)
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def patch(self, body: dict[str, Any], workspace_id: UUID, organization_id: UUID | None = None) -> Workspace:
        """Change some of a workspace's fields"""
        return _change(body, workspace_id, organization_id)

    @workspaces.response(204)
    @workspaces.refuses(409)
    @requires("workspaces:delete")
    def delete(self, workspace_id: UUID, organization_id: UUID | None = None) -> None:
        """Delete a workspace with everything in it; refused while something runs there"""
        with transaction() as session:
            delete_workspace(session, _load_workspace(session, workspace_id, organization_id, for_update=True))


def _make_workspace(session: Session, organization_id: UUID, body: dict[str, Any]) -> Workspace:
    check(organization_id)
    return create_workspace(session, organization_id, principal().user_id, body, _rules())


def _change(body: dict[str, Any], workspace_id: UUID, organization_id: UUID | None) -> Workspace:
    with transaction() as session:
        workspace = _load_workspace(session, workspace_id, organization_id, for_update=True)
        _guard_credentials(workspace, body)
        change_workspace(session, workspace, body, _rules())
        return _with_activity(session, workspace)


def _guard_credentials(workspace: Workspace, body: dict[str, Any]) -> None:
    """Refuse to lead the workspace to another host unless the caller may write its secrets: its repository's token is
    given to whatever host the address names, also after it was without one. Raises Forbidden."""
    after = body.get("repository_url")
    if after is None or is_same_host(workspace.repository_url or "", after):
        return
    if not principal().may("secrets:write", *places_of(workspace)):
        raise Forbidden(
            "The repository's token would go to another host; that needs the right to write secrets.",
            required_permission="secrets:write",
        )


def _load_workspace(
    session: Session, workspace_id: UUID, organization_id: UUID | None, *, for_update: bool = False
) -> Workspace:
    workspace = load(session, Workspace, workspace_id, for_update=for_update)
    if organization_id not in (None, workspace.organization_id):
        raise NotFound(resource_type="workspace", resource_id=str(workspace_id))
    return workspace


def _with_activity(session: Session, workspace: Workspace) -> Workspace:
    workspace.activity = read_activity(session, workspace.id)
    return workspace


def _rules() -> RepositoryRules:
    return RepositoryRules(
        allow_file=platform().allow_file_repositories, allow_private=platform().allow_private_addresses
    )
