"""Operations that are tried again. What would have been refused when they were asked for is refused again: much may
have happened since."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.jobs import Job
from app.tenancy import effects, operations
from app.tenancy.courses import COURSES, MAKING
from app.tenancy.errors import OperationRuns
from app.tenancy.models import Project, Provisioning, Workspace
from app.tenancy.models.provisioning import PENDING, RUNNING
from app.tenancy.placing import refuse_plan, refuse_unready
from app.tenancy.projects import refuse_quota
from app.tenancy.spaces import restore_spaces


def operation_retried(session: Session, job: Job) -> None:
    """Follow a retry of an operation's job: from its first phase, once all of it has been undone.

    Raises OperationRuns; QuotaExceeded where others have had since what it wants; what `refuse_unready` raises.
    """
    provisioning = operations.lock(session, UUID(job.payload["provisioning_id"]))
    workspace = session.get(Workspace, provisioning.workspace_id) if provisioning is not None else None
    if provisioning is None or workspace is None or effects.is_gone(session, provisioning):
        raise OperationRuns("What this was about is gone.")
    if operations.newest_of(session, workspace.id, provisioning.project_id) != provisioning:
        raise OperationRuns("Something else was begun since; ask for this anew.")
    if provisioning.is_open:
        raise OperationRuns("What it has done is still being taken back; try again when that has ended.")
    project = session.get(Project, provisioning.project_id) if provisioning.project_id else None
    operations.refuse_beside(session, workspace, provisioning.operation, project)
    _refuse_beyond(session, workspace, project, provisioning)
    _begin_again(provisioning)
    session.flush()
    if provisioning.operation in MAKING:
        restore_spaces(session, workspace, project)
    effects.begun(session, provisioning)


def _refuse_beyond(session: Session, workspace: Workspace, project: Project | None, provisioning: Provisioning) -> None:
    after = provisioning.wanted.get("after", {})
    if "plan" in after:
        refuse_plan(session, workspace, after["plan"])
    if project is not None and COURSES[provisioning.operation].undoable:
        refuse_unready(workspace)
        refuse_quota(session, workspace, project, after.get("quota", project.quota))


def _begin_again(provisioning: Provisioning) -> None:
    provisioning.status = RUNNING
    provisioning.error = provisioning.ends_as = provisioning.finished_at = provisioning.undo_job_id = None
    for phase in provisioning.phases:
        phase.status, phase.waits, phase.attempt = PENDING, 0, None
        phase.started_at = phase.finished_at = phase.undone_at = phase.seconds = phase.detail = None
