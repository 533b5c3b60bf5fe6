"""Workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request
from flask.views import MethodView
from sqlalchemy.orm import Session

from app.http import Blueprint, Reply, accepted, check, load, platform, principal, requires, transaction
from app.kernel.errors import FieldError, Forbidden, Invalid, NotFound
from app.kernel.principal import places_of
from app.tenancy.hooks import read_activity
from app.tenancy.hosts import find_host
from app.tenancy.models import NAMESPACE, VCLUSTER, VirtualCluster, Workspace
from app.tenancy.operations import newest_of
from app.tenancy.placing import change_plan, place_workspace, refuse_plan, remove_place
from app.tenancy.queries import visible_workspaces
from app.tenancy.repository import RepositoryRules, is_same_host
from app.tenancy.schemas import workspaces as schemas
from app.tenancy.service import (
    change_workspace,
    create_workspace,
    delete_workspace,
    personal_organization,
)
from app.tenancy.virtual import refuse_unoffered

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
    @workspaces.response(202, schemas.WorkspaceDetail, description="It is being put on a cluster")
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def post(self, body: dict[str, Any]) -> Any:
        """Make a workspace, in the caller's personal organization unless another is named; with a cluster or an
        isolation, a job puts it there"""
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
    @workspaces.response(202, schemas.WorkspaceDetail, description="It is being put on a cluster")
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def post(self, body: dict[str, Any], organization_id: UUID) -> Any:
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
            return show(session, _load_workspace(session, workspace_id, organization_id))

    @workspaces.arguments(schemas.WorkspaceReplacement)
    @workspaces.response(200, schemas.WorkspaceDetail)
    @workspaces.response(202, schemas.WorkspaceDetail, description="Its cluster is being given the new plan's quota")
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, organization_id: UUID | None = None) -> Any:
        """Replace a workspace's fields; those left out take their defaults, and the slug stays"""
        return _change(body, workspace_id, organization_id)

    @workspaces.arguments(schemas.WorkspaceChange)
    @workspaces.response(200, schemas.WorkspaceDetail)
    @workspaces.response(202, schemas.WorkspaceDetail, description="Its cluster is being given the new plan's quota")
    @workspaces.refuses(409)
    @requires("workspaces:write")
    def patch(self, body: dict[str, Any], workspace_id: UUID, organization_id: UUID | None = None) -> Any:
        """Change some of a workspace's fields"""
        return _change(body, workspace_id, organization_id)

    @workspaces.response(202, schemas.WorkspaceDetail, description="It is being taken off its cluster")
    @workspaces.response(204, description="It was on no cluster, and is gone")
    @workspaces.refuses(409)
    @requires("workspaces:delete")
    def delete(self, workspace_id: UUID, organization_id: UUID | None = None) -> Any:
        """Delete a workspace with everything in it; refused while something runs there"""
        with transaction() as session:
            workspace = _load_workspace(session, workspace_id, organization_id, for_update=True)
            if workspace.is_provisioned:
                begun = remove_place(session, workspace, principal().user_id)
                return accepted(show(session, workspace), begun.job_id)
            delete_workspace(session, workspace)
            return Reply(None, 204)


def _make_workspace(session: Session, organization_id: UUID, body: dict[str, Any]) -> Any:
    check(organization_id)
    cluster_id, isolation = body.pop("cluster_id", None), body.pop("isolation", None)
    refuse_unoffered(isolation, platform().vcluster_address)
    wants_place = cluster_id is not None or isolation is not None
    host = find_host(session, principal(), organization_id, cluster_id) if wants_place else None
    workspace = create_workspace(session, organization_id, principal().user_id, body, _rules())
    if host is None:
        return workspace
    begun = place_workspace(session, workspace, host, isolation or NAMESPACE, principal().user_id)
    return accepted(show(session, workspace), begun.job_id)


def _change(body: dict[str, Any], workspace_id: UUID, organization_id: UUID | None) -> Any:
    with transaction() as session:
        workspace = _load_workspace(session, workspace_id, organization_id, for_update=True)
        _guard_credentials(workspace, body)
        plan = _take_from_body(session, workspace, body)
        change_workspace(session, workspace, body, _rules())
        if plan is None:
            return show(session, workspace)
        begun = change_plan(session, workspace, plan, principal().user_id)
        return accepted(show(session, workspace), begun.job_id)


def _take_from_body(session: Session, workspace: Workspace, body: dict[str, Any]) -> str | None:
    """Take what a cluster decides out of a change, and return the plan whose quota it is to be given, if it is another.

    Raises Invalid where the status of a workspace on a cluster was to be written, QuotaExceeded for a plan that is
    smaller than the projects of a workspace without one.
    """
    plan = body.get("plan", workspace.plan)
    if not workspace.is_provisioned:
        if plan != workspace.plan:
            refuse_plan(session, workspace, plan)
        return None
    if request.method == "PATCH" and "status" in body:
        raise Invalid(errors=[FieldError("status", "Follows from the cluster; suspend or resume the workspace.")])
    for name in ("status", "plan"):
        body.pop(name, None)
    return plan if plan != workspace.plan else None


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


def show(session: Session, workspace: Workspace) -> Workspace:
    """Return a workspace with what is told of it beside its row."""
    session.refresh(workspace)
    workspace.activity = read_activity(session, workspace.id)
    workspace.provisioning = newest_of(session, workspace.id) if workspace.is_provisioned else None
    workspace.virtual = session.get(VirtualCluster, workspace.id) if workspace.isolation == VCLUSTER else None
    return workspace


def _rules() -> RepositoryRules:
    return RepositoryRules(
        allow_file=platform().allow_file_repositories, allow_private=platform().allow_private_addresses
    )
