"""What workspaces and projects use, as their clusters said it last: reading it costs no cluster anything."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.tenancy import quotas
from app.tenancy.errors import WorkspaceNotReady
from app.tenancy.models import Project, Space, Workspace


def usage_of_workspace(session: Session, workspace: Workspace) -> dict[str, Any]:
    """Return the use of all namespaces of a workspace together, of what its plan allows. Raises WorkspaceNotReady."""
    if not workspace.is_provisioned:
        raise WorkspaceNotReady("The workspace has no place on a cluster.", workspace_id=str(workspace.id))
    mine = select(Space).where(Space.workspace_id == workspace.id, Space.purpose != "access")
    return _show(session.scalars(mine).all(), quotas.OF_PLAN[workspace.plan])


def usage_of_project(session: Session, project: Project) -> dict[str, Any]:
    """Return the use of a project and all below it, of its quota. Raises WorkspaceNotReady."""
    if project.namespace is None:
        raise WorkspaceNotReady("The project has no namespace.", workspace_id=str(project.workspace_id))
    below, found = {project.id}, select(Project.id)
    while more := set(session.scalars(found.where(Project.parent_id.in_(below)))) - below:
        below |= more
    return _show(session.scalars(select(Space).where(Space.project_id.in_(below))).all(), project.quota)


def _show(spaces: Sequence[Space], whole: quotas.Quota) -> dict[str, Any]:
    seen = [space for space in spaces if space.observed_at is not None]
    limit = quotas.hard_of(quotas.amounts_of(whole))
    return {
        "observed_at": min((space.observed_at for space in seen if space.observed_at), default=None),
        "resources": quotas.show_use(limit, _sum([space.used or {} for space in seen])),
    }


def _sum(some: Sequence[dict[str, Any]]) -> dict[str, str]:
    total: dict[str, Decimal] = {}
    for used in some:
        for name, text in used.items():
            total[name] = total.get(name, quotas.ZERO) + (quotas.read_quantity(text) or quotas.ZERO)
    return {name: format(amount, "f") for name, amount in total.items()}
