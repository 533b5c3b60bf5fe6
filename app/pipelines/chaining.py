"""What the end of an execution starts: pipelines that follow this one. Nothing here commits."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.errors import HeadraceError
from app.pipelines.definition import PullRequest, Trigger, from_stored_triggers
from app.pipelines.intents import StartFollowers
from app.pipelines.models import Execution, Pipeline
from app.pipelines.models.pipeline import FOLLOWS_OTHERS
from app.pipelines.service import Start, start_execution
from app.pipelines.triggers import judge_finished
from app.tenancy import Workspace

MOST_DEPTH: Final = 10
TOO_DEEP: Final = f"It would be the {MOST_DEPTH + 1}th execution in a row; at most {MOST_DEPTH} may follow each other."


def accept_followers(session: Session, event: dict[str, Any], event_id: UUID) -> None:
    """Ask for what follows from an `execution.finished`, if any pipeline of its workspace waits for another's end."""
    workspace_id = UUID(event["workspace_id"])
    waiting = select(Pipeline.id).where(Pipeline.workspace_id == workspace_id, FOLLOWS_OTHERS)
    if session.execute(waiting.limit(1)).scalar() is None:
        return
    jobs.accept(
        session,
        StartFollowers(UUID(event["execution_id"]), event["status"]),
        organization_id=UUID(event["organization_id"]),
        workspace_id=workspace_id,
        resource=("execution", UUID(event["execution_id"])),
        key=f"followers:{event_id}",
    )


def start_followers(session: Session, execution_id: UUID, status: str, cause: str) -> dict[str, Any]:
    """Start the pipelines that follow an execution that ended as `status`; tells of each what was started, or why not.

    `cause` names this end: the followers of one end are started once.
    """
    ended = session.get(Execution, execution_id)
    if ended is None:
        return {"started": [], "refused": []}
    workspace, own = session.get_one(Workspace, ended.workspace_id), session.get_one(Pipeline, ended.pipeline_id)
    results = [
        {"pipeline_id": str(pipeline_id), "pipeline": name}
        | _start(session, workspace, pipeline_id, ended, refused, f"{cause}:{pipeline_id}")
        for pipeline_id, name, triggers in _with_triggers(session, workspace.id)
        for refused in [_judge(triggers, own.name, status, ended)]
    ]
    return {
        "started": [result for result in results if "execution_id" in result],
        "refused": [result for result in results if "reason" in result],
    }


def _with_triggers(session: Session, workspace_id: UUID) -> list[tuple[UUID, str, tuple[Trigger, ...]]]:
    rows = session.execute(
        select(Pipeline.id, Pipeline.name, Pipeline.definition["triggers"])
        .where(Pipeline.workspace_id == workspace_id, FOLLOWS_OTHERS)
        .order_by(Pipeline.id)
    )
    return [(row[0], row[1], from_stored_triggers(row[2])) for row in rows]


def _judge(triggers: tuple[Trigger, ...], name: str, status: str, ended: Execution) -> str | None:
    reasons = [
        judge_finished(trigger, name, status, ended.branch)
        for trigger in triggers
        if trigger.trigger_type == "pipeline"
    ]
    if None not in reasons:
        return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
    return TOO_DEEP if ended.depth >= MOST_DEPTH else None


def _start(
    session: Session, workspace: Workspace, pipeline_id: UUID, ended: Execution, refused: str | None, cause: str
) -> dict[str, Any]:
    if refused is None and workspace.status != "active":
        refused = "The workspace is not active."
    if refused is not None:
        return {"reason": refused}
    pipeline = session.get_one(Pipeline, pipeline_id)
    try:
        with session.begin_nested():
            started = start_execution(session, pipeline, workspace, _after(ended, cause), None)
    except HeadraceError as error:
        return {"reason": error.message}
    return {"execution_id": str(started.execution.id)}


def _after(ended: Execution, cause: str) -> Start:
    """An execution of the same commit; of code that is not trusted nothing comes that is."""
    request = ended.pull_request
    return Start(
        trigger="pipeline",
        branch=ended.branch,
        tag=ended.tag,
        commit_sha=ended.commit_sha,
        pull_request=PullRequest(**request) if request else None,
        fetch_ref=ended.fetch_ref,
        trusted=ended.trusted,
        cause=cause,
        depth=ended.depth + 1,
        begun_by=ended.begun_by,
        commit_given=ended.commit_given,
    )
