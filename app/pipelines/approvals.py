"""Approval gates: a stage that waits until somebody lets it run, refuses it, or lets the time pass.

What stands for the wait is a job, due when the approval expires. Deciding ends that job, and so do its expiry and the
execution's being cancelled; what follows for the stage is written in the transaction of that end (see progress.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.identity import Membership, RoleAssignment, assignments_in
from app.jobs import Job
from app.kernel.clock import format_time
from app.kernel.errors import NotFound
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.kernel.stream import publish
from app.pipelines.definition import ConditionInvalid as ConditionFault
from app.pipelines.definition import Plan, State, should_run, stage_variables
from app.pipelines.ends import now
from app.pipelines.environments import gate_of
from app.pipelines.errors import ApprovalExpired, ApprovalRejected, ConditionInvalid, IllegalMove, NotAnApprover
from app.pipelines.events import ApprovalRequested
from app.pipelines.intents import AwaitApproval
from app.pipelines.models import QUEUED, WAITING, Execution, Stage, StageApproval

ROLE: Final = "role:"
_STATUSES: Final = {jobs.SUCCEEDED: "approved", jobs.CANCELLED: "cancelled", jobs.FAILED: "rejected"}


def is_wanted(execution: Execution, stage: Stage, *, blocked: bool) -> bool:
    """Tell whether the stage's condition holds, so that nobody is asked in vain; raises ConditionInvalid."""
    plan = Plan.from_json(execution.plan)
    planned = plan.stage(stage.name)
    variables = stage_variables(plan, planned, commit_sha=execution.commit_sha, attempt=stage.attempt + 1)
    try:
        return should_run(planned.condition, variables, State(failed=blocked))
    except ConditionFault as error:
        raise ConditionInvalid(str(error)) from None


def ask_approval(session: Session, execution: Execution, job: Job, stage: Stage, gate: dict[str, Any]) -> None:
    """Let a stage wait for approval; `job` is the execution's, whose row the caller has locked."""
    moment = now(session)
    stage.move(WAITING, moment)
    stage.job_id = jobs.accept(
        session,
        AwaitApproval(stage.id),
        organization_id=execution.organization_id,
        workspace_id=execution.workspace_id,
        created_by=execution.created_by,
        resource=("stage", stage.id),
        parent_id=job.id,
        delay=gate["expires_in"],
    )
    session.add(
        StageApproval(
            id=new_id(),
            execution_id=execution.id,
            stage_id=stage.id,
            stage_name=stage.name,
            job_id=stage.job_id,
            status="waiting",
            seconds_left=((execution.deadline_at or moment) - moment).total_seconds(),
            requested_at=moment,
            expires_at=moment + timedelta(seconds=gate["expires_in"]),
        )
    )
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())
    _announce(session, execution, stage, gate, moment + timedelta(seconds=gate["expires_in"]))


def _announce(session: Session, execution: Execution, stage: Stage, gate: dict[str, Any], expires_at: datetime) -> None:
    announce(
        session,
        ApprovalRequested(
            execution.organization_id,
            execution.workspace_id,
            execution.pipeline_id,
            execution.id,
            execution.number,
            stage.name,
            tuple(gate.get("approvers", ())),
            format_time(expires_at),
        ),
    )


def decide(
    session: Session, execution: Execution, name: str, caller: Principal, *, approve: bool, comment: str | None = None
) -> None:
    """Let a waiting stage run, or fail it. Raises NotFound, IllegalMove for a stage that does not wait, and
    NotAnApprover for a caller whom the stage's approval does not name, or who started the execution."""
    jobs.lock(session, execution.job_id)
    session.refresh(execution)
    mine = select(Stage).where(Stage.execution_id == execution.id, Stage.name == name)
    stage = session.execute(mine.execution_options(populate_existing=True)).scalar_one_or_none()
    if stage is None:
        raise NotFound(resource_type="stage", resource_id=f"{execution.id}/{name}")
    if stage.status != WAITING or stage.job_id is None:
        raise IllegalMove(f"Stage {name} is {stage.status}; it does not wait for approval.", status=stage.status)
    _refuse_others(session, execution, gate_of(session, execution, stage) or {}, caller)
    approval = _approval_of(session, stage.job_id)
    approval.decided_by = caller.user_id
    approval.comment = comment
    jobs.act_as(session, caller.user_id)
    waiting = jobs.lock(session, stage.job_id)
    if waiting is None:
        raise IllegalMove("Its job is not kept any more.")
    if approve:
        jobs.end(session, waiting, jobs.SUCCEEDED, result={"status": "approved"})
    else:
        said = f" {comment}" if comment else ""
        error = ApprovalRejected(f"{caller.username} rejected it.{said}", stage=stage.name)
        jobs.end(session, waiting, jobs.FAILED, error={"code": error.code, "message": error.message, "details": {}})


def _refuse_others(session: Session, execution: Execution, gate: dict[str, Any], caller: Principal) -> None:
    if gate.get("not_by_starter") and caller.user_id in (execution.created_by, *execution.begun_by):
        raise NotAnApprover("Whoever began the execution, or ran it again, may not decide on this stage.")
    named = gate.get("approvers", [])
    if not named or caller.username in named:
        return
    roles = {one.removeprefix(ROLE) for one in named if one.startswith(ROLE)}
    if not roles or roles.isdisjoint(_roles_of(session, execution, caller)):
        raise NotAnApprover(approvers=named)


def _roles_of(session: Session, execution: Execution, caller: Principal) -> set[str]:
    """Return the names of the roles that the caller holds in the execution's organization or workspace."""
    places = (execution.organization_id, execution.workspace_id)
    held = {
        one.role.name
        for place in places
        for one in session.scalars(assignments_in(place).where(RoleAssignment.user_id == caller.user_id))
    }
    mine = (Membership.user_id == caller.user_id, Membership.organization_id == execution.organization_id)
    return held | {f"organization-{role}" for role in session.scalars(select(Membership.role).where(*mine))}


def _approval_of(session: Session, job_id: Any) -> StageApproval:
    return session.execute(select(StageApproval).where(StageApproval.job_id == job_id)).scalar_one()


def close_gate(session: Session, execution: Execution, stage: Stage, job: Job) -> bool:
    """Record what the wait came to, by the end of its job; True when the stage may run."""
    moment = now(session)
    approval = _approval_of(session, job.id)
    expired = (job.error or {}).get("code") == ApprovalExpired.code
    approval.status = "expired" if expired else _STATUSES[job.status]
    approval.decided_at = moment
    session.flush()
    publish(session, execution.topic, "stage.approval", approval.as_event())
    if job.status != jobs.SUCCEEDED:
        return False
    _open(execution, stage, approval, moment)
    session.flush()
    publish(session, execution.topic, "stage.status", stage.as_event())
    return True


def _open(execution: Execution, stage: Stage, approval: StageApproval, moment: datetime) -> None:
    stage.move(QUEUED, moment)
    stage.approved = True
    stage.job_id = None
    left = moment + timedelta(seconds=approval.seconds_left)
    execution.deadline_at = max(execution.deadline_at or left, left)
