"""Variables of a workspace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.http import load, match_row, note_row, principal, requires, transaction
from app.pipelines import workspace_variables
from app.pipelines.models import WorkspaceVariable
from app.pipelines.routes.base import blueprint
from app.pipelines.variable_schemas import VariableCreationSchema, VariableSchema, VariableValueSchema
from app.tenancy import Workspace

SORT = {"name": WorkspaceVariable.name, "created_at": WorkspaceVariable.created_at}


@blueprint.route("/workspaces/<uuid:workspace_id>/variables")
class Variables(MethodView):
    """The variables of a workspace."""

    @blueprint.paged(VariableSchema, sort=SORT, default="name")
    @requires("variables:read")
    def get(self, workspace_id: UUID) -> Select[WorkspaceVariable]:
        """List a workspace's variables."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return select(WorkspaceVariable).where(WorkspaceVariable.workspace_id == workspace_id)

    @blueprint.arguments(VariableCreationSchema)
    @blueprint.response(201, VariableSchema)
    @blueprint.refuses(409)
    @requires("variables:write")
    def post(self, body: dict[str, Any], workspace_id: UUID) -> WorkspaceVariable:
        """Set a variable for the executions that are started from now on."""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id)
            return workspace_variables.create_variable(session, workspace, **body, created_by=principal().user_id)


@blueprint.route("/workspaces/<uuid:workspace_id>/variables/<name>")
class OneVariable(MethodView):
    """One variable."""

    @blueprint.response(200, VariableSchema)
    @requires("variables:read")
    def get(self, workspace_id: UUID, name: str) -> WorkspaceVariable:
        """Read a variable."""
        with transaction() as session:
            variable = _load_variable(session, workspace_id, name)
            note_row(variable)
            return variable

    @blueprint.arguments(VariableValueSchema)
    @blueprint.response(200, VariableSchema)
    @requires("variables:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, name: str) -> WorkspaceVariable:
        """Replace a variable's value."""
        return _change(workspace_id, name, body["value"])

    @blueprint.arguments(VariableValueSchema)
    @blueprint.response(200, VariableSchema)
    @requires("variables:write")
    def patch(self, body: dict[str, Any], workspace_id: UUID, name: str) -> WorkspaceVariable:
        """Change a variable's value, which is all there is to change."""
        return _change(workspace_id, name, body["value"])

    @blueprint.response(204)
    @requires("variables:write")
    def delete(self, workspace_id: UUID, name: str) -> None:
        """Delete a variable."""
        with transaction() as session:
            workspace_variables.delete_variable(session, _load_variable(session, workspace_id, name, for_update=True))


def _change(workspace_id: UUID, name: str, value: str) -> WorkspaceVariable:
    with transaction() as session:
        variable = _load_variable(session, workspace_id, name, for_update=True)
        return workspace_variables.change_variable(session, variable, value)


def _load_variable(session: Session, workspace_id: UUID, name: str, *, for_update: bool = False) -> WorkspaceVariable:
    load(session, Workspace, workspace_id)
    variable = workspace_variables.find_variable(session, workspace_id, name, for_update=for_update)
    match_row(variable)
    return variable
