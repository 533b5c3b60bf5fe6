"""Operations: what is done to workspaces and projects on clusters. Each is a row with its phases and a job; what
follows from the job's end is written in the transaction of that end, whoever ends it: a worker, the reaper, or who
cancels.

An undo is a job of its own, so that all ways in which an operation can end without success lead to the same one.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.clock import database_now
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.tenancy import effects
from app.tenancy.courses import COURSES
from app.tenancy.errors import OperationRuns
from app.tenancy.intents import UndoProvisioning
from app.tenancy.models import (
    OPEN,
    UNDOING,
    Project,
    Provisioning,
    ProvisioningPhase,
    Workspace,
)
from app.tenancy.models.provisioning import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED
from app.tenancy.provisioning_events import ProvisioningCompleted, ProvisioningFailed

PATIENCE: Final = 60.0


def begin(
    session: Session,
    workspace: Workspace,
    operation: str,
    caller_id: UUID | None,
    *,
    project: Project | None = None,
    wanted: dict[str, Any] | None = None,
) -> Provisioning:
    """Begin an operation on a workspace whose row the caller has locked, or on a project of it; its job is in
    `job_id`. Raises OperationRuns while another one is open that would be in its way."""
    refuse_beside(session, workspace, operation, project)
    course, about = COURSES[operation], new_id()
    whose: dict[str, Any] = {
        "organization_id": workspace.organization_id,
        "workspace_id": workspace.id,
        "created_by": caller_id,
    }
    resource = ("project", project.id) if project else ("workspace", workspace.id)
    begun = Provisioning(
        id=about,
        project_id=project.id if project else None,
        host_id=workspace.host_id,
        operation=operation,
        wanted=wanted or {},
        job_id=jobs.accept(
            session, course.intent.from_json({"provisioning_id": str(about)}), resource=resource, **whose
        ),
        phases=[
            ProvisioningPhase(position=place, name=name, share=share, undoable=course.undoable)
            for place, (name, share) in enumerate(course.phases_of(workspace.isolation))
        ],
        **whose,
    )
    session.add(begun)
    session.flush()
    effects.begun(session, begun)
    return begun


def _whose(provisioning: Provisioning) -> dict[str, Any]:
    return {
        "organization_id": provisioning.organization_id,
        "workspace_id": provisioning.workspace_id,
        "created_by": provisioning.created_by,
    }


def refuse_beside(session: Session, workspace: Workspace, operation: str, project: Project | None) -> None:
    """Raise OperationRuns: one on the whole excludes all others; one on a project those on the whole and on itself.

    An undo that does not get on must not keep what it is about from being deleted, which takes back all there is.
    """
    others = select(Provisioning).where(Provisioning.workspace_id == workspace.id, Provisioning.status.in_(OPEN))
    if project is not None:
        others = others.where(Provisioning.project_id.is_(None) | (Provisioning.project_id == project.id))
    for other in session.scalars(others):
        covered = project is None or other.project_id is not None
        if not (other.status == UNDOING and covered and not COURSES[operation].undoable):
            raise OperationRuns(operation=other.operation, job_id=str(other.job_id))
        session.refresh(other, with_for_update=True)
        _close(session, other)


def is_busy(session: Session, workspace_id: UUID) -> bool:
    """Tell whether anything is being done to a workspace or its projects."""
    mine = (Provisioning.workspace_id == workspace_id, Provisioning.status.in_(OPEN))
    return bool(session.scalar(select(exists().where(*mine))))


def newest_of(session: Session, workspace_id: UUID, project_id: UUID | None = None) -> Provisioning | None:
    """Return what was last begun on a workspace itself, or on a project."""
    mine = select(Provisioning).where(Provisioning.workspace_id == workspace_id)
    mine = mine.where(
        Provisioning.project_id.is_(None) if project_id is None else Provisioning.project_id == project_id
    )
    return session.scalars(mine.order_by(Provisioning.created_at.desc(), Provisioning.id.desc()).limit(1)).first()


def lock(session: Session, provisioning_id: UUID) -> Provisioning | None:
    """Lock an operation for this transaction, its workspace first as everywhere, and read it as it is."""
    found = session.get(Provisioning, provisioning_id)
    if found is None:
        return None
    session.get(Workspace, found.workspace_id, with_for_update=True, populate_existing=True)
    return session.get(Provisioning, provisioning_id, with_for_update=True, populate_existing=True)


def complete(session: Session, provisioning: Provisioning) -> None:
    """Write that all phases of an operation hold, and what follows from that."""
    provisioning.status = SUCCEEDED
    provisioning.finished_at = database_now()
    provisioning.waiting_for = None
    session.flush()
    announce(session, ProvisioningCompleted(**told(provisioning)))
    effects.done(session, provisioning)


def told(provisioning: Provisioning) -> dict[str, Any]:
    """Return what all events of an operation say."""
    return {
        "organization_id": provisioning.organization_id,
        "workspace_id": provisioning.workspace_id,
        "project_id": provisioning.project_id,
        "provisioning_id": provisioning.id,
        "operation": provisioning.operation,
        "phase": provisioning.phase,
        "percent": provisioning.percent,
        "seconds": {one.name: round(one.seconds, 3) for one in provisioning.phases if one.seconds is not None},
    }


def operation_ended(session: Session, job: Job) -> None:
    """Follow the end of an operation's job: what it has begun is undone unless it succeeded."""
    if job.status == jobs.SUCCEEDED:
        return
    provisioning = lock(session, UUID(job.payload["provisioning_id"]))
    if provisioning is None or provisioning.status != RUNNING:
        return
    cancelled = job.status == jobs.CANCELLED
    error = job.error or {"code": "CANCELLED", "message": "The job was cancelled.", "details": {}}
    provisioning.ends_as = CANCELLED if cancelled else FAILED
    provisioning.error = error | {"phase": provisioning.phase}
    provisioning.waiting_for = None
    said = {"code": error["code"], "reason": error["message"], "cancelled": cancelled}
    announce(session, ProvisioningFailed(**told(provisioning), **said))
    effects.failed(session, provisioning, error["message"])
    if any(phase.undoable and phase.status != PENDING for phase in provisioning.phases):
        provisioning.status = UNDOING
        _ask_to_undo(session, provisioning)
    else:
        _close(session, provisioning)


def _ask_to_undo(session: Session, provisioning: Provisioning, delay: float = 0.0) -> None:
    about = provisioning.project_id
    resource = ("project", about) if about else ("workspace", provisioning.workspace_id)
    provisioning.undo_job_id = jobs.accept(
        session, UndoProvisioning(provisioning.id), **_whose(provisioning), resource=resource, delay=delay
    )
    session.flush()


def undo_ended(session: Session, job: Job) -> None:
    """Follow the end of an undo: one that was cancelled, or failed, is begun again, for half of it is no end."""
    if job.status == jobs.SUCCEEDED:
        return
    provisioning = lock(session, UUID(job.payload["provisioning_id"]))
    if provisioning is None or provisioning.status != UNDOING:
        return
    _ask_to_undo(session, provisioning, PATIENCE)


def finish_undo(session: Session, provisioning: Provisioning) -> None:
    """Write that nothing is left of an operation that did not succeed."""
    _close(session, provisioning)
    effects.undone(session, provisioning)


def close_all(session: Session, workspace: Workspace) -> None:
    """Let all that is being done to a workspace whose row is locked end where it is; its jobs find it ended."""
    mine = select(Provisioning).where(Provisioning.workspace_id == workspace.id, Provisioning.status.in_(OPEN))
    for one in session.scalars(mine.order_by(Provisioning.id).with_for_update()):
        _close(session, one)


def _close(session: Session, provisioning: Provisioning) -> None:
    provisioning.status = provisioning.ends_as or FAILED
    provisioning.finished_at = database_now()
    provisioning.waiting_for = None
    session.flush()
