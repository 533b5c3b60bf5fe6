"""Secrets of a workspace: written here, never read back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.http import load, match_row, note_row, platform, principal, requires, transaction
from app.pipelines import secrets
from app.pipelines.models import WorkspaceSecret
from app.pipelines.routes.base import blueprint
from app.pipelines.schemas import SecretCreationSchema, SecretSchema, SecretValueSchema
from app.tenancy import Workspace

SORT = {"name": WorkspaceSecret.name, "created_at": WorkspaceSecret.created_at}


@blueprint.route("/workspaces/<uuid:workspace_id>/secrets")
class Secrets(MethodView):
    """The secrets of a workspace."""

    @blueprint.paged(SecretSchema, sort=SORT, default="name")
    @requires("secrets:read")
    def get(self, workspace_id: UUID) -> Select[WorkspaceSecret]:
        """List the names of a workspace's secrets."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
        return select(WorkspaceSecret).where(WorkspaceSecret.workspace_id == workspace_id)

    @blueprint.arguments(SecretCreationSchema)
    @blueprint.response(201, SecretSchema)
    @blueprint.refuses(409)
    @requires("secrets:write")
    def post(self, body: dict[str, Any], workspace_id: UUID) -> WorkspaceSecret:
        """Keep a secret; steps that name it find it in their environment."""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id)
            return secrets.create_secret(session, platform().vault, workspace, **body, created_by=principal().user_id)


@blueprint.route("/workspaces/<uuid:workspace_id>/secrets/<name>")
class OneSecret(MethodView):
    """One secret."""

    @blueprint.response(200, SecretSchema)
    @requires("secrets:read")
    def get(self, workspace_id: UUID, name: str) -> WorkspaceSecret:
        """Tell of a secret all but its value."""
        with transaction() as session:
            secret = _load_secret(session, workspace_id, name)
            note_row(secret)
            return secret

    @blueprint.arguments(SecretValueSchema)
    @blueprint.response(200, SecretSchema)
    @requires("secrets:write")
    def put(self, body: dict[str, Any], workspace_id: UUID, name: str) -> WorkspaceSecret:
        """Replace a secret's value."""
        return _replace(workspace_id, name, body["value"])

    @blueprint.arguments(SecretValueSchema)
    @blueprint.response(200, SecretSchema)
    @requires("secrets:write")
    def patch(self, body: dict[str, Any], workspace_id: UUID, name: str) -> WorkspaceSecret:
        """Change a secret's value, which is all there is to change."""
        return _replace(workspace_id, name, body["value"])

    @blueprint.response(204)
    @requires("secrets:write")
    def delete(self, workspace_id: UUID, name: str) -> None:
        """Delete a secret; steps that name it fail from then on."""
        with transaction() as session:
            secrets.delete_secret(session, _load_secret(session, workspace_id, name, for_update=True))


def _replace(workspace_id: UUID, name: str, value: str) -> WorkspaceSecret:
    with transaction() as session:
        secret = _load_secret(session, workspace_id, name, for_update=True)
        return secrets.replace_value(session, platform().vault, secret, value)


def _load_secret(session: Session, workspace_id: UUID, name: str, *, for_update: bool = False) -> WorkspaceSecret:
    load(session, Workspace, workspace_id)
    secret = secrets.find_secret(session, workspace_id, name, for_update=for_update)
    match_row(secret)
    return secret
