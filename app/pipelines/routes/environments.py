"""Environments: what is live where, what was deployed before, and who may deploy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select

from app.http import load, requires, transaction
from app.pipelines import environments
from app.pipelines.environment_schemas import (
    DeploymentFilterSchema,
    DeploymentSchema,
    EnvironmentChangeSchema,
    EnvironmentCreationSchema,
    EnvironmentReplacementSchema,
    EnvironmentSchema,
)
from app.pipelines.models import Deployment, Environment
from app.pipelines.routes.base import blueprint
from app.tenancy import Workspace

SORT = {"name": Environment.name, "created_at": Environment.created_at}


@blueprint.route("/workspaces/<uuid:workspace_id>/environments")
class Environments(MethodView):
    """The environments of a workspace. Who writes them says who gets at their secrets: that takes the right to write
    secrets."""

    @blueprint.paged(EnvironmentSchema, sort=SORT, default="name")
    @requires("executions:read")
    def get(self, workspace_id: UUID) -> Select[Environment]:
        """List a workspace's environments, each with what is live there."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return select(Environment).where(Environment.workspace_id == workspace_id)

    @blueprint.arguments(EnvironmentCreationSchema)
    @blueprint.response(201, EnvironmentSchema)
    @blueprint.refuses(409)
    @requires("secrets:write")
    def post(self, body: dict[str, Any], workspace_id: UUID) -> Environment:
        """Make an environment, and protect it before anything is deployed; runs make those they name themselves."""
        with transaction() as session:
            return environments.create_environment(session, load(session, Workspace, workspace_id), body)


@blueprint.route("/environments/<uuid:environment_id>")
class OneEnvironment(MethodView):
    """One environment."""

    @blueprint.response(200, EnvironmentSchema)
    @requires("executions:read")
    def get(self, environment_id: UUID) -> Environment:
        """Read an environment, with what is live there."""
        with transaction() as session:
            return load(session, Environment, environment_id)

    @blueprint.arguments(EnvironmentReplacementSchema)
    @blueprint.response(200, EnvironmentSchema)
    @requires("secrets:write")
    def put(self, body: dict[str, Any], environment_id: UUID) -> Environment:
        """Replace description and protection; the name stays."""
        return _change(environment_id, body)

    @blueprint.arguments(EnvironmentChangeSchema)
    @blueprint.response(200, EnvironmentSchema)
    @requires("secrets:write")
    def patch(self, body: dict[str, Any], environment_id: UUID) -> Environment:
        """Change description or protection; what waits for approval is judged by it at once."""
        return _change(environment_id, body)

    @blueprint.response(204)
    @blueprint.refuses(409)
    @requires("secrets:write")
    def delete(self, environment_id: UUID) -> None:
        """Delete an environment with its history and its secrets; refused while an execution deploys to it."""
        with transaction() as session:
            environments.delete_environment(session, load(session, Environment, environment_id, for_update=True))


@blueprint.route("/environments/<uuid:environment_id>/deployments")
class Deployments(MethodView):
    """What was deployed."""

    @blueprint.paged(
        DeploymentSchema,
        filters=DeploymentFilterSchema,
        sort={"started_at": Deployment.started_at},
        default="-started_at",
    )
    @requires("executions:read")
    def get(self, filters: dict[str, Any], environment_id: UUID) -> Select[Deployment]:
        """List the deployments to an environment, newest first; running a stage again deploys its commit again."""
        with transaction() as session:
            load(session, Environment, environment_id)
        rows = select(Deployment).where(Deployment.environment_id == environment_id)
        return rows.where(*(getattr(Deployment, name) == value for name, value in filters.items()))


def _change(environment_id: UUID, body: dict[str, Any]) -> Environment:
    with transaction() as session:
        return environments.change_environment(
            session, load(session, Environment, environment_id, for_update=True), body
        )
