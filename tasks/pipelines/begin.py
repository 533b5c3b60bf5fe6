"""The beginning of an execution: the branch becomes a commit, once, so that all stages run the same source, and
the plan is completed by what that commit says."""

from __future__ import annotations

from uuid import UUID

from app.jobs import Run
from app.pipelines import Execution, begin_execution, complete_execution
from tasks.pipelines.gateways.base import GitCredentials, ResolveRequest
from tasks.pipelines.include import read_includes
from tasks.pipelines.secrets import read_login
from tasks.tools import Tools

RESOLVE_SECONDS = 60.0


def begin(run: Run, execution_id: UUID, tools: Tools) -> None:
    """Resolve the commit, read what is included, start what is ready, and leave the job parked until all has ended."""
    with run.reading() as session:
        execution = session.get_one(Execution, execution_id)
    run.progress(phase="resolving", message=f"finding {execution.branch or execution.tag}")
    secrets = read_login(run, tools, execution.workspace_id)
    with secrets.hidden_in_errors():
        commit_sha = execution.commit_sha or _resolve(run, execution, secrets.login(), tools)
        plan = read_includes(run, execution, commit_sha, secrets.login(), tools)
    with run.recording() as (session, job):
        execution = session.get_one(Execution, execution_id)
        if plan is not None:
            complete_execution(session, execution, plan)
        run.park(session, job)
        begin_execution(session, execution, job, commit_sha)


def _resolve(run: Run, execution: Execution, login: GitCredentials | None, tools: Tools) -> str:
    request = ResolveRequest(
        execution.repository_url,
        branch=execution.branch,
        tag=execution.tag,
        timeout=RESOLVE_SECONDS,
        credentials=login,
    )
    return tools.source.resolve(request, run.check)
