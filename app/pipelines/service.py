"""What clients ask of pipelines: create, replace, delete, start. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.errors import AlreadyExists, NotFound
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.kernel.stream import publish
from app.pipelines.definition import Definition, Plan, PullRequest, RunContext, find_group, make_plan
from app.pipelines.errors import IllegalMove, WorkspaceNotReady
from app.pipelines.events import PipelineCreated, PipelineDeleted, PipelineUpdated
from app.pipelines.intents import ExecutePipeline
from app.pipelines.keeping import Places
from app.pipelines.models import FINAL, QUEUED, Execution, Pipeline, Stage, Step
from app.pipelines.planned import stages_of, write_rows
from app.pipelines.quotas import refuse_beyond, standing_of
from app.pipelines.schedules import keep_schedules
from app.pipelines.variables import read_variables
from app.tenancy import DELETING, Workspace


@dataclass(frozen=True, slots=True)
class Source:
    """A definition with the text it was made of."""

    definition: Definition
    text: str
    format: str


@dataclass(frozen=True, slots=True)
class Start:
    """How an execution is to be started; without a branch and a tag it is of the workspace's branch.

    `fetch_ref` is where the repository keeps the commit when no branch does. One that is not `trusted` gets no secrets.
    `cause` names what asked for it: no two executions have the same. `depth` counts the executions that led to it,
    `begun_by` who began those; `commit_given` says that one of them chose the commit.
    """

    trigger: str = "manual"
    branch: str | None = None
    tag: str | None = None
    commit_sha: str | None = None
    variables: Mapping[str, str] | None = None
    pull_request: PullRequest | None = None
    fetch_ref: str | None = None
    trusted: bool = True
    cause: str | None = None
    depth: int = 0
    begun_by: Sequence[UUID] = ()
    commit_given: bool = False


def create_pipeline(session: Session, workspace: Workspace, source: Source, caller: Principal) -> Pipeline:
    """Write a pipeline; raises AlreadyExists for a name the workspace has."""
    pipeline = Pipeline(
        id=new_id(),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        created_by=caller.user_id,
    )
    _write_source(pipeline, source, workspace.name)
    session.add(pipeline)
    _flush_name(session, pipeline.name)
    keep_schedules(session, pipeline, source.definition)
    announce(session, PipelineCreated(workspace.organization_id, workspace.id, pipeline.id, pipeline.name))
    session.refresh(pipeline)
    return pipeline


def replace_definition(session: Session, pipeline: Pipeline, source: Source, caller: Principal) -> Pipeline:
    """Replace the definition; executions that were started keep the plan they have."""
    _write_source(pipeline, source, pipeline.name)
    pipeline.updated_at = func.clock_timestamp()
    pipeline.updated_by = caller.user_id
    _flush_name(session, pipeline.name)
    keep_schedules(session, pipeline, source.definition)
    announce(session, PipelineUpdated(pipeline.organization_id, pipeline.workspace_id, pipeline.id, pipeline.name))
    session.refresh(pipeline)
    return pipeline


def delete_pipeline(session: Session, pipeline: Pipeline) -> None:
    """Delete a pipeline with its history; raises IllegalMove while one of its executions runs."""
    running = select(func.count()).where(Execution.pipeline_id == pipeline.id, Execution.status.not_in(FINAL))
    if session.execute(running).scalar_one():
        raise IllegalMove("The pipeline has running executions; cancel them first.")
    announce(session, PipelineDeleted(pipeline.organization_id, pipeline.workspace_id, pipeline.id, pipeline.name))
    session.delete(pipeline)
    session.flush()


def _write_source(pipeline: Pipeline, source: Source, default_name: str) -> None:
    pipeline.name = source.definition.name or default_name
    pipeline.description = source.definition.description
    pipeline.definition = source.definition.to_json()
    pipeline.source = source.text
    pipeline.source_format = source.format


def _flush_name(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyExists(f"This workspace has a pipeline named {name!r} already.") from error


@dataclass(frozen=True, slots=True)
class Started:
    """An execution as it was written, in no session, and the values of its stages and steps in the plan's order."""

    execution: Execution
    stages: list[dict[str, Any]]
    steps: list[dict[str, Any]]


def start_execution(
    session: Session, pipeline: Pipeline, workspace: Workspace, start: Start, caller: Principal | None
) -> Started:
    """Freeze the plan and write the execution, its stages and its job; nothing runs before the commit.

    `caller` is None where nobody asked but an event. Raises WorkspaceNotReady for a workspace without a
    repository, and QuotaExceeded.
    """
    if workspace.repository_url is None:
        raise WorkspaceNotReady(workspace_id=str(workspace.id))
    if workspace.status == DELETING:
        raise WorkspaceNotReady("The workspace is being deleted.", workspace_id=str(workspace.id))
    places = Places(workspace.organization_id, workspace.id, pipeline.id)
    plan = _freeze(pipeline, workspace, start, read_variables(session, places))
    by = caller.user_id if caller else None
    asked = _asked(pipeline, workspace, start) | {
        "begun_by": [*start.begun_by, *([by] if by else [])],
        "commit_given": start.commit_given or (by is not None and start.commit_sha is not None),
    }
    return write_execution(session, plan, asked, by)


def write_execution(session: Session, plan: Plan, asked: Mapping[str, Any], created_by: UUID | None) -> Started:
    """Write an execution by its plan; `asked` are those of its columns that say of what it is.

    Raises QuotaExceeded.
    """
    execution_id = UUID(plan.execution_id)
    frozen = plan.to_json()
    number, moment = _next_number(session, asked["pipeline_id"])
    job_id = jobs.accept(
        session,
        ExecutePipeline(execution_id),
        organization_id=asked["organization_id"],
        workspace_id=asked["workspace_id"],
        created_by=created_by,
        resource=("execution", execution_id),
    )
    values = dict(asked) | {
        "id": execution_id,
        "job_id": job_id,
        "number": number,
        "plan": frozen,
        "plan_digest": frozen["digest"],
        "status": QUEUED,
        "created_by": created_by,
        "created_at": moment,
        "queued_at": moment,
        "concurrency_group": _group_of(plan, trusted=asked["trusted"]),
    }
    stages, steps = stages_of(session, plan, asked, execution_id)
    started = Started(Execution(**values), stages, steps)
    write_rows(session, (Execution, [values]), (Stage, stages), (Step, steps))
    publish(session, started.execution.topic, "execution.status", started.execution.as_event())
    return started


def _group_of(plan: Plan, *, trusted: bool) -> str | None:
    """Return the plan's group; strangers, who may choose names that are filled in, have groups of their own."""
    group = find_group(plan)
    return group if group is None or trusted else f"untrusted/{group}"


def _asked(pipeline: Pipeline, workspace: Workspace, start: Start) -> dict[str, Any]:
    return {
        "organization_id": pipeline.organization_id,
        "workspace_id": workspace.id,
        "pipeline_id": pipeline.id,
        "trigger": start.trigger,
        "repository_url": workspace.repository_url,
        "branch": _branch_of(workspace, start),
        "tag": start.tag,
        "commit_sha": start.commit_sha,
        "pull_request": start.pull_request and asdict(start.pull_request),
        "fetch_ref": start.fetch_ref,
        "trusted": start.trusted,
        "cause": start.cause,
        "depth": start.depth,
        "variables": dict(start.variables or {}),
    }


def _branch_of(workspace: Workspace, start: Start) -> str | None:
    return None if start.tag is not None else start.branch or workspace.branch


def _freeze(pipeline: Pipeline, workspace: Workspace, start: Start, shared: Mapping[str, str]) -> Plan:
    context = RunContext(
        execution_id=str(new_id()),
        pipeline=pipeline.name,
        workspace_id=str(workspace.id),
        repository_url=workspace.repository_url or "",
        branch=_branch_of(workspace, start),
        tag=start.tag,
        commit_sha=start.commit_sha,
        pull_request=start.pull_request,
        trigger=start.trigger,
        shared=shared,
        variables=dict(start.variables or {}),
    )
    return make_plan(Definition.from_json(pipeline.definition), context)


_NEXT_NUMBER = (
    update(table_of(Pipeline))
    .where(table_of(Pipeline).c.id == bindparam("pipeline_id"))
    .values(executions_started=table_of(Pipeline).c.executions_started + 1)
    .returning(
        table_of(Pipeline).c.executions_started, database_now(), *standing_of(table_of(Pipeline).c.organization_id)
    )
)


def _next_number(session: Session, pipeline_id: UUID) -> tuple[int, datetime]:
    """Return the number of the pipeline's next execution, and the time; raises NotFound and QuotaExceeded."""
    counted = session.execute(_NEXT_NUMBER, {"pipeline_id": pipeline_id}).one_or_none()
    if counted is None:
        raise NotFound("The pipeline was deleted just now.", resource_type="pipeline", resource_id=str(pipeline_id))
    number, moment, most, unfinished = counted
    refuse_beyond(most, unfinished)
    return number, moment


def cancel_execution(session: Session, execution: Execution, by: UUID | None = None) -> None:
    """Cancel the execution's job, and with it every stage that has not ended."""
    if execution.is_final:
        raise IllegalMove(f"The execution is {execution.status} already.", status=execution.status)
    job = session.get_one(jobs.Job, execution.job_id)
    jobs.cancel(session, job, by)
