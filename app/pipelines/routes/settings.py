"""What a workspace wants of its pipelines: who is told how they fare, and who may see it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.http import load, platform, requires, transaction
from app.kernel.errors import FieldError, Invalid
from app.pipelines.models import PipelineSettings
from app.pipelines.routes.base import blueprint
from app.pipelines.settings import read_settings, write_settings
from app.pipelines.settings_schemas import SettingsChangeSchema, SettingsReplacementSchema, SettingsSchema
from app.tenancy import RepositoryRules, Workspace, find_url_fault


@blueprint.route("/workspaces/<uuid:workspace_id>/pipeline-settings")
class WorkspacePipelineSettings(MethodView):
    """The settings of a workspace's pipelines. Whoever writes them says where a token is sent: that takes the right to
    write secrets."""

    @blueprint.response(200, SettingsSchema)
    @requires("pipelines:read")
    def get(self, workspace_id: UUID) -> PipelineSettings:
        """Read the settings; what was never set has its default."""
        with transaction() as session:
            load(session, Workspace, workspace_id)
            return read_settings(session, workspace_id)

    @blueprint.arguments(SettingsReplacementSchema)
    @blueprint.response(200, SettingsSchema)
    @requires("secrets:write")
    def put(self, body: dict[str, Any], workspace_id: UUID) -> PipelineSettings:
        """Replace the settings; what is left out takes its default."""
        return _write(workspace_id, body)

    @blueprint.arguments(SettingsChangeSchema)
    @blueprint.response(200, SettingsSchema)
    @requires("secrets:write")
    def patch(self, body: dict[str, Any], workspace_id: UUID) -> PipelineSettings:
        """Change some of the settings."""
        return _write(workspace_id, body)


def _write(workspace_id: UUID, body: dict[str, Any]) -> PipelineSettings:
    url = body.get("status_api_url")
    rules = RepositoryRules(allow_private=platform().allow_private_addresses)
    fault = find_url_fault(url, rules) if url is not None else None
    with transaction() as session:
        workspace = load(session, Workspace, workspace_id)
        if fault:
            raise Invalid(errors=[FieldError("status_api_url", fault)])
        return write_settings(session, workspace, body)
