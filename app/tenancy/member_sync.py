"""What follows on clusters from a change of who is a member: a job for each workspace that is concerned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.ids import new_id
from app.tenancy.intents import SyncMembers
from app.tenancy.models import ACTIVE, VCLUSTER, Space, Workspace


def accept_member_sync(session: Session, data: dict[str, Any], event_id: UUID) -> None:
    """Ask that the namespaces of a workspace, or of all of an organization's, let in those who are members now."""
    if data.get("scope_type") in ("cluster", "namespace"):
        return
    concerned = select(Workspace).where(
        Workspace.organization_id == UUID(data["organization_id"]),
        Workspace.host_id.is_not(None),
        # One that has failed to go has accounts yet.
        exists().where(Space.workspace_id == Workspace.id),
    )
    if one := data.get("workspace_id") or (data.get("scope_type") == "workspace" and data["scope_id"]):
        concerned = concerned.where(Workspace.id == UUID(one))
    _ask(session, session.scalars(concerned).all(), f"members:{event_id}")


def look_for_members(session: Session, host_id: UUID) -> None:
    """Ask the same of the virtual clusters on a host: whose membership ended by itself is not seen from outside."""
    theirs = (Workspace.host_id == host_id, Workspace.isolation == VCLUSTER, Workspace.status == ACTIVE)
    _ask(session, session.scalars(select(Workspace).where(*theirs)).all(), f"members:{new_id()}")


def _ask(session: Session, workspaces: Sequence[Workspace], cause: str) -> None:
    asked = _find_asked(session, workspaces)
    for workspace in workspaces:
        if workspace.id in asked:
            continue
        jobs.accept(
            session,
            SyncMembers(workspace.id),
            organization_id=workspace.organization_id,
            workspace_id=workspace.id,
            resource=("workspace", workspace.id),
            key=f"{cause}:{workspace.id}",
        )


def _find_asked(session: Session, workspaces: Sequence[Workspace]) -> set[UUID]:
    """Return the workspaces for which a job is due that nobody has begun: a thousand who join are one look. Locked as
    it is, it begins when this transaction has ended, and so reads what this is about."""
    due = select(Job.resource_id).where(
        Job.kind == SyncMembers.kind,
        Job.status == jobs.QUEUED,
        Job.scheduled_for <= database_now(),
        Job.resource_id.in_([workspace.id for workspace in workspaces]),
    )
    return {found for found in session.scalars(due.with_for_update(skip_locked=True)) if found is not None}
