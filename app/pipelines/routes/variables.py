"""Variables of organizations, workspaces and pipelines."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import principal, requires, transaction
from app.pipelines import keeping, variables
from app.pipelines.kept_schemas import VariableCreationSchema, VariableSchema, VariableValueSchema
from app.pipelines.models import Variable
from app.pipelines.routes.base import blueprint
from app.pipelines.routes.holders import list_kept, load_holder, load_kept, of_holders

KINDS = ("organization", "workspace", "pipeline")
SORT = {"name": Variable.name, "created_at": Variable.created_at}


@of_holders("variables", *KINDS)
class Variables(MethodView):
    """Variables."""

    @blueprint.paged(VariableSchema, sort=SORT, default="name")
    @requires("variables:read")
    def get(self, **place: UUID) -> Select[Variable]:
        """List the variables that are kept here; those of wider places are listed there."""
        return list_kept(Variable, place)

    @blueprint.arguments(VariableCreationSchema)
    @blueprint.response(201, VariableSchema)
    @blueprint.refuses(409)
    @requires("variables:write")
    def post(self, body: dict[str, Any], **place: UUID) -> Variable:
        """Set a variable for the executions that are started from now on."""
        with transaction() as session:
            holder = load_holder(session, place)
            return variables.create_variable(session, holder, **body, created_by=principal().user_id)


@of_holders("variables/<name>", *KINDS)
class OneVariable(MethodView):
    """One variable."""

    @blueprint.response(200, VariableSchema)
    @requires("variables:read")
    def get(self, name: str, **place: UUID) -> Variable:
        """Read a variable."""
        with transaction() as session:
            return load_kept(session, Variable, place, name)

    @blueprint.arguments(VariableValueSchema)
    @blueprint.response(200, VariableSchema)
    @requires("variables:write")
    def put(self, body: dict[str, Any], name: str, **place: UUID) -> Variable:
        """Replace a variable's value."""
        return _change(body, name, place)

    @blueprint.arguments(VariableValueSchema)
    @blueprint.response(200, VariableSchema)
    @requires("variables:write")
    def patch(self, body: dict[str, Any], name: str, **place: UUID) -> Variable:
        """Change a variable's value, which is all there is to change."""
        return _change(body, name, place)

    @blueprint.response(204)
    @requires("variables:write")
    def delete(self, name: str, **place: UUID) -> None:
        """Delete a variable."""
        with transaction() as session:
            keeping.forget(session, load_kept(session, Variable, place, name, for_update=True))


def _change(body: dict[str, Any], name: str, place: dict[str, UUID]) -> Variable:
    with transaction() as session:
        return variables.change_variable(
            session, load_kept(session, Variable, place, name, for_update=True), body["value"]
        )
