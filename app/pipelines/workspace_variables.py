"""Variables of a workspace. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.errors import AlreadyExists, Conflict, NotFound
from app.kernel.ids import new_id
from app.pipelines.models import WorkspaceVariable
from app.tenancy import Workspace

MOST: Final = 100


class TooManyVariables(Conflict):
    """The workspace has as many variables as it may."""

    code = "TOO_MANY_VARIABLES"


def create_variable(
    session: Session, workspace: Workspace, name: str, value: str, created_by: UUID
) -> WorkspaceVariable:
    """Write a variable; raises AlreadyExists for a name the workspace has, and TooManyVariables."""
    mine = select(func.count()).where(WorkspaceVariable.workspace_id == workspace.id)
    if session.execute(mine).scalar_one() >= MOST:
        raise TooManyVariables(f"A workspace has at most {MOST} variables.")
    variable = WorkspaceVariable(
        id=new_id(),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        name=name,
        value=value,
        created_by=created_by,
    )
    session.add(variable)
    try:
        session.flush()
    except IntegrityError:
        raise AlreadyExists(f"This workspace has a variable named {name} already.") from None
    session.refresh(variable)
    return variable


def find_variable(session: Session, workspace_id: UUID, name: str, *, for_update: bool = False) -> WorkspaceVariable:
    """Return a variable; raises NotFound."""
    named = select(WorkspaceVariable).where(
        WorkspaceVariable.workspace_id == workspace_id, WorkspaceVariable.name == name
    )
    variable = session.execute(named.with_for_update() if for_update else named).scalar_one_or_none()
    if variable is None:
        raise NotFound(resource_type="variable", resource_id=name)
    return variable


def change_variable(session: Session, variable: WorkspaceVariable, value: str) -> WorkspaceVariable:
    """Change the value; executions that were started keep the one they have."""
    variable.value = value
    variable.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(variable)
    return variable


def delete_variable(session: Session, variable: WorkspaceVariable) -> None:
    """Delete a variable; executions that were started keep it."""
    session.delete(variable)
    session.flush()


def read_variables(session: Session, workspace_id: UUID) -> dict[str, str]:
    """Return a workspace's variables by name."""
    mine = select(WorkspaceVariable.name, WorkspaceVariable.value).where(WorkspaceVariable.workspace_id == workspace_id)
    return {row.name: row.value for row in session.execute(mine.order_by(WorkspaceVariable.name))}
