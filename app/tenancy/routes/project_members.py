"""Members of projects."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import principal, requires, transaction
from app.identity import find_user
from app.tenancy import projects as service
from app.tenancy.models import ProjectMember
from app.tenancy.routes.projects import ONE, load_project, projects
from app.tenancy.schemas import projects as schemas

SORT = {"created_at": ProjectMember.created_at}


@projects.route(f"{ONE}/members")
class ProjectMembers(MethodView):
    """Who has a part in a project beyond what they are in its workspace."""

    @projects.paged(schemas.ProjectMember, sort=SORT, default="created_at")
    @requires("members:read")
    def get(self, workspace_id: UUID, project_id: UUID) -> Select[ProjectMember]:
        """The members of a project"""
        with transaction() as session:
            load_project(session, workspace_id, project_id)
        return service.members_of(project_id)

    @projects.arguments(schemas.ProjectMemberAddition)
    @projects.response(201, schemas.ProjectMember)
    @requires("members:write")
    def post(self, body: dict[str, Any], workspace_id: UUID, project_id: UUID) -> ProjectMember:
        """Give a member of the workspace a role in one of its projects"""
        with transaction() as session:
            workspace, project = load_project(session, workspace_id, project_id, for_update=True)
            user = find_user(session, principal(), body["user_id"])
            return service.add_member(session, workspace, project, user, body["role"])


@projects.route(f"{ONE}/members/<uuid:user_id>")
class OneProjectMember(MethodView):
    """A member of a project."""

    @projects.response(200, schemas.ProjectMember)
    @requires("members:read")
    def get(self, workspace_id: UUID, project_id: UUID, user_id: UUID) -> ProjectMember:
        """A member of a project"""
        with transaction() as session:
            return service.find_member(session, load_project(session, workspace_id, project_id)[1], user_id)

    @projects.arguments(schemas.ProjectRole)
    @projects.response(200, schemas.ProjectMember)
    @requires("members:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, project_id: UUID, user_id: UUID) -> ProjectMember:
        """Give a member of a project another role in it"""
        with transaction() as session:
            _, project = load_project(session, workspace_id, project_id, for_update=True)
            return service.change_member(session, project, user_id, body["role"])

    @projects.response(204)
    @requires("members:write")
    def delete(self, workspace_id: UUID, project_id: UUID, user_id: UUID) -> None:
        """End somebody's part in a project; what they are in the workspace stays"""
        with transaction() as session:
            service.remove_member(session, load_project(session, workspace_id, project_id, for_update=True)[1], user_id)
