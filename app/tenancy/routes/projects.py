"""Projects."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Blueprint, Reply, accepted, load, principal, requires, transaction
from app.kernel.errors import NotFound
from app.tenancy import projects as service
from app.tenancy.models import Project, Provisioning, Workspace
from app.tenancy.operations import newest_of
from app.tenancy.schemas import projects as schemas
from app.tenancy.schemas.provisioning import ResourceUsage
from app.tenancy.usage import usage_of_project

projects = Blueprint("projects", description="Parts of workspaces, each with a share of the quota and a namespace")

SORT = {"created_at": Project.created_at, "name": Project.name}
ONE = "/workspaces/<uuid:workspace_id>/projects/<uuid:project_id>"


@projects.route("/workspaces/<uuid:workspace_id>/projects")
class Projects(MethodView):
    """The projects of a workspace."""

    @projects.paged(schemas.Project, sort=SORT, default="-created_at", filters=schemas.ProjectFilters)
    @requires("projects:read")
    def get(self, filters: dict[str, Any], workspace_id: UUID) -> Select[Project]:
        """The projects of a workspace, of all depths"""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return service.projects_of(workspace_id, filters)

    @projects.arguments(schemas.ProjectCreation)
    @projects.response(201, schemas.ProjectDetail)
    @projects.response(202, schemas.ProjectDetail, description="It is being given its namespace")
    @projects.refuses(409)
    @requires("projects:write")
    def post(self, body: dict[str, Any], workspace_id: UUID) -> Any:
        """Make a project; where the workspace is on a cluster, a job makes its namespace"""
        with transaction() as session:
            return _create(session, workspace_id, body)


@projects.route(ONE)
class OneProject(MethodView):
    """A project."""

    @projects.response(200, schemas.ProjectDetail)
    @requires("projects:read")
    def get(self, workspace_id: UUID, project_id: UUID) -> Project:
        """A project"""
        with transaction() as session:
            return _show(session, load_project(session, workspace_id, project_id)[1])

    @projects.arguments(schemas.ProjectReplacement)
    @projects.response(200, schemas.ProjectDetail)
    @projects.response(202, schemas.ProjectDetail, description="Its namespace is being changed")
    @projects.refuses(409)
    @requires("projects:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, project_id: UUID) -> Any:
        """Replace a project's fields; its quota stays when it is left out"""
        return _change(body, workspace_id, project_id)

    @projects.arguments(schemas.ProjectChange)
    @projects.response(200, schemas.ProjectDetail)
    @projects.response(202, schemas.ProjectDetail, description="Its namespace is being changed")
    @projects.refuses(409)
    @requires("projects:write")
    def patch(self, body: dict[str, Any], workspace_id: UUID, project_id: UUID) -> Any:
        """Change some of a project's fields"""
        return _change(body, workspace_id, project_id)

    @projects.response(202, schemas.ProjectDetail, description="Its namespace is being deleted")
    @projects.response(204, description="It had no namespace, and is gone")
    @projects.refuses(409)
    @requires("projects:delete")
    def delete(self, workspace_id: UUID, project_id: UUID) -> Any:
        """Delete a project with all that is in its namespace; refused while it has projects of its own"""
        with transaction() as session:
            workspace, project = load_project(session, workspace_id, project_id, for_update=True)
            begun = service.delete_project(session, workspace, project, principal().user_id)
            return Reply(None, 204) if begun is None else _answer(session, project, begun)


@projects.route(f"{ONE}/subprojects")
class Subprojects(MethodView):
    """Projects below a project."""

    @projects.arguments(schemas.SubprojectCreation)
    @projects.response(201, schemas.ProjectDetail)
    @projects.response(202, schemas.ProjectDetail, description="It is being given its namespace")
    @projects.refuses(409)
    @requires("projects:write")
    def post(self, body: dict[str, Any], workspace_id: UUID, project_id: UUID) -> Any:
        """Make a project below another, of what that has left"""
        with transaction() as session:
            return _create(session, workspace_id, {**body, "parent_id": project_id})


@projects.route(f"{ONE}/hierarchy")
class ProjectHierarchy(MethodView):
    """A project's tree."""

    @projects.response(200, schemas.Hierarchy)
    @requires("projects:read")
    def get(self, workspace_id: UUID, project_id: UUID) -> dict[str, Any]:
        """A project with all below it"""
        with transaction() as session:
            return service.hierarchy_of(session, load_project(session, workspace_id, project_id)[1])


@projects.route(f"{ONE}/resource-usage")
class ProjectUsage(MethodView):
    """What a project uses."""

    @projects.response(200, ResourceUsage)
    @projects.refuses(409)
    @requires("projects:read")
    def get(self, workspace_id: UUID, project_id: UUID) -> dict[str, Any]:
        """What a project and all below it use of its quota, as the cluster said it last"""
        with transaction() as session:
            return usage_of_project(session, load_project(session, workspace_id, project_id)[1])


def load_project(
    session: Session, workspace_id: UUID, project_id: UUID, *, for_update: bool = False
) -> tuple[Workspace, Project]:
    """Return a project and its workspace, whose row is locked first where something is to be changed."""
    workspace = load(session, Workspace, workspace_id, for_update=for_update)
    project = load(session, Project, project_id, for_update=for_update)
    if project.workspace_id != workspace.id:
        raise NotFound(resource_type="project", resource_id=str(project_id))
    return workspace, project


def _create(session: Session, workspace_id: UUID, body: dict[str, Any]) -> Any:
    workspace = load(session, Workspace, workspace_id, for_update=True)
    project, begun = service.create_project(session, workspace, body, principal().user_id)
    return _answer(session, project, begun)


def _change(body: dict[str, Any], workspace_id: UUID, project_id: UUID) -> Any:
    with transaction() as session:
        workspace, project = load_project(session, workspace_id, project_id, for_update=True)
        begun = service.change_project(session, workspace, project, body, principal().user_id)
        return _answer(session, project, begun)


def _answer(session: Session, project: Project, begun: Provisioning | None) -> Any:
    shown = _show(session, project)
    return shown if begun is None or begun.job_id is None else accepted(shown, begun.job_id)


def _show(session: Session, project: Project) -> Project:
    session.refresh(project)
    project.provisioning = newest_of(session, project.workspace_id, project.id) if project.namespace else None
    return project
