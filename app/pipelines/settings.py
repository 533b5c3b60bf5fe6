"""The settings of a workspace's pipelines; one without a row has the defaults. Nothing here commits."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.pipelines.models import PipelineSettings
from app.tenancy import Workspace


def read_settings(session: Session, workspace_id: UUID) -> PipelineSettings:
    """Return a workspace's settings."""
    found = session.get(PipelineSettings, workspace_id)
    return found or PipelineSettings(workspace_id=workspace_id, badge_public=False)


def write_settings(session: Session, workspace: Workspace, changed: dict[str, Any]) -> PipelineSettings:
    """Write some settings."""
    place = {"workspace_id": workspace.id, "organization_id": workspace.organization_id}
    session.execute(insert(PipelineSettings).values(place).on_conflict_do_nothing())
    settings = session.get_one(PipelineSettings, workspace.id, populate_existing=True, with_for_update=True)
    for name, value in changed.items():
        setattr(settings, name, value)
    session.flush()
    session.refresh(settings)
    return settings
