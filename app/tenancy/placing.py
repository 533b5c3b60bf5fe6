"""What is done with workspaces on clusters: put there, suspended, resumed, upgraded, given another plan, taken away."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.errors import FieldError
from app.tenancy import courses, effects, operations, quotas
from app.tenancy.errors import QuotaExceeded, WorkspaceNotReady, WorkspaceSuspended
from app.tenancy.hooks import object_to_deletion
from app.tenancy.hosts import Host, find_usable
from app.tenancy.models import ACTIVE, FAILED, SUSPENDED, Project, Provisioning, Workspace
from app.tenancy.spaces import claim_spaces

_FROM: Final = {
    courses.SUSPEND: (ACTIVE,),
    courses.RESUME: (SUSPENDED,),
    courses.UPGRADE: (ACTIVE,),
    courses.REPAIR: (ACTIVE, SUSPENDED),
    courses.CHANGE_PLAN: (ACTIVE, SUSPENDED),
}


def place_workspace(
    session: Session, workspace: Workspace, host: Host, isolation: str, caller_id: UUID
) -> Provisioning:
    """Begin to put a new workspace on a cluster."""
    workspace.host_id, workspace.isolation = host.cluster_id, isolation
    claim_spaces(session, workspace)
    return operations.begin(session, workspace, courses.PROVISION, caller_id)


def change_place(session: Session, workspace: Workspace, operation: str, caller_id: UUID | None) -> Provisioning:
    """Begin to suspend, resume, upgrade or repair a workspace, whose row the caller has locked.

    Raises WorkspaceNotReady where its state does not allow it, and WorkspaceSuspended.
    """
    _refuse_unless(workspace, _FROM[operation])
    return operations.begin(session, workspace, operation, caller_id)


def change_plan(session: Session, workspace: Workspace, plan: str, caller_id: UUID) -> Provisioning:
    """Begin to give a workspace the quota of another plan. Raises QuotaExceeded where its projects have more."""
    _refuse_unless(workspace, _FROM[courses.CHANGE_PLAN])
    refuse_plan(session, workspace, plan)
    wanted = {"before": {"plan": workspace.plan}, "after": {"plan": plan}}
    return operations.begin(session, workspace, courses.CHANGE_PLAN, caller_id, wanted=wanted)


def refuse_plan(session: Session, workspace: Workspace, plan: str) -> None:
    """Raise QuotaExceeded for a plan that is smaller than what the workspace's projects were given."""
    mine = select(Project.quota).where(Project.workspace_id == workspace.id, Project.parent_id.is_(None))
    left = quotas.left_of(quotas.OF_PLAN[plan], session.scalars(mine).all())
    lacking = [
        FieldError("plan", f"the projects have {quotas.write_amount(name, -amount)} {name} more than it allows")
        for name, amount in left.items()
        if amount < 0
    ]
    if lacking:
        raise QuotaExceeded("The workspace's projects have more than this plan allows.", errors=lacking)


def remove_place(session: Session, workspace: Workspace, caller_id: UUID) -> Provisioning:
    """Begin to take a workspace off its cluster and delete it. Raises WorkspaceInUse if a room objects."""
    object_to_deletion(session, workspace)
    return operations.begin(session, workspace, courses.DELETE, caller_id)


def abandon_place(session: Session, workspace: Workspace) -> None:
    """Delete a workspace, whose row the caller has locked, and leave what it has on a cluster that does not answer.

    Should that answer again, the look for drift removes it there. Raises WorkspaceNotReady where it answers, or where
    there is none; WorkspaceInUse if a room objects.
    """
    about: dict[str, Any] = {"workspace_id": str(workspace.id), "status": workspace.status}
    if workspace.host_id is None or find_usable(session, [workspace.host_id]):
        raise WorkspaceNotReady("Its cluster answers, or it has none: delete the workspace.", **about)
    object_to_deletion(session, workspace)
    operations.close_all(session, workspace)
    effects.delete_subject(session, workspace)


def refuse_unready(workspace: Workspace) -> None:
    """Raise unless the workspace has a place that can be used now."""
    _refuse_unless(workspace, (ACTIVE,))


def _refuse_unless(workspace: Workspace, statuses: tuple[str, ...]) -> None:
    about: dict[str, Any] = {"workspace_id": str(workspace.id), "status": workspace.status}
    if not workspace.is_provisioned:
        raise WorkspaceNotReady("The workspace has no place on a cluster.", **about)
    if workspace.status in statuses:
        return
    if workspace.status == SUSPENDED:
        raise WorkspaceSuspended(**about)
    why = f": {workspace.status_reason}" if workspace.status == FAILED and workspace.status_reason else ""
    raise WorkspaceNotReady(f"The workspace is {workspace.status}{why}", **about)
