"""What pipelines add to workspaces: what goes on in one, and why it cannot be deleted while something runs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.pipelines.models import FINAL, Execution, Pipeline
from app.tenancy import Activity, Workspace, WorkspaceInUse


def tell_activity(session: Session, workspace_id: UUID) -> Activity:
    """Return how many pipelines a workspace has, and when one was started last."""
    count = session.execute(select(func.count()).where(Pipeline.workspace_id == workspace_id)).scalar_one()
    newest = select(func.max(Execution.created_at)).where(Execution.workspace_id == workspace_id)
    return Activity(count, session.execute(newest).scalar())


def refuse_while_running(session: Session, workspace: Workspace) -> None:
    """Raise WorkspaceInUse while an execution of the workspace has not ended."""
    running = (
        select(Execution.id).where(Execution.workspace_id == workspace.id, Execution.status.not_in(FINAL)).limit(1)
    )
    if session.execute(running).scalar() is not None:
        raise WorkspaceInUse("The workspace has running executions; cancel them first.")
