"""What follows on clusters from a change of who is a member: a job for each workspace that is concerned."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.tenancy.intents import SyncMembers
from app.tenancy.models import DELETING, FAILED, Workspace


def accept_member_sync(session: Session, data: dict[str, Any], event_id: UUID) -> None:
    """Ask that the namespaces of a workspace, or of all of an organization's, let in those who are members now."""
    if data.get("scope_type") in ("cluster", "namespace"):
        return
    concerned = select(Workspace).where(
        Workspace.organization_id == UUID(data["organization_id"]),
        Workspace.host_id.is_not(None),
        Workspace.status.not_in((FAILED, DELETING)),
    )
    if one := data.get("workspace_id") or (data.get("scope_type") == "workspace" and data["scope_id"]):
        concerned = concerned.where(Workspace.id == UUID(one))
    for workspace in session.scalars(concerned):
        jobs.accept(
            session,
            SyncMembers(workspace.id),
            organization_id=workspace.organization_id,
            workspace_id=workspace.id,
            resource=("workspace", workspace.id),
            key=f"members:{event_id}:{workspace.id}",
        )
