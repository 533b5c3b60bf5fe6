"""What workers do for pipelines: find the commit, then run stages, each on any worker."""

from __future__ import annotations

from typing import Any

from app.jobs import Run
from app.pipelines import (
    AdmitDeployments,
    AdmitExecutions,
    ApprovalExpired,
    AwaitApproval,
    ExecutePipeline,
    PruneArtifacts,
    PruneCaches,
    PruneDeliveries,
    ReportStatus,
    RunSchedules,
    RunStage,
    RunStageElsewhere,
    StartFollowers,
    admit_deployments,
    admit_executions,
    start_followers,
)
from tasks.handling import handles
from tasks.pipelines.await_runner import await_runner
from tasks.pipelines.begin import begin
from tasks.pipelines.prune import prune_artifacts, prune_caches, prune_deliveries
from tasks.pipelines.report_status import report_status
from tasks.pipelines.run_schedules import run_schedules
from tasks.pipelines.run_stage import run_stage
from tasks.tools import Tools


@handles(ExecutePipeline)
def execute_pipeline(run: Run, intent: ExecutePipeline, tools: Tools) -> None:
    """Find the commit and start the first stages."""
    begin(run, intent.execution_id, tools)


@handles(AdmitExecutions)
def give_out_turns(run: Run, intent: AdmitExecutions, _: Tools) -> dict[str, Any]:
    """Begin the executions of a concurrency group whose turn it is."""
    with run.recording() as (session, _job):
        admitted = admit_executions(session, intent.workspace_id, intent.group)
    return {"admitted": [str(execution_id) for execution_id in admitted]}


@handles(AdmitDeployments)
def give_out_deployments(run: Run, intent: AdmitDeployments, _: Tools) -> dict[str, Any]:
    """Let the next stage deploy to an environment."""
    with run.recording() as (session, _job):
        admitted = admit_deployments(session, intent.environment_id)
    return {"admitted": str(admitted) if admitted else None}


@handles(AwaitApproval)
def let_approval_expire(_: Run, __: AwaitApproval, ___: Tools) -> None:
    """Fail the wait: it is over, and nobody has decided."""
    raise ApprovalExpired


@handles(RunStage)
def run_one_stage(run: Run, intent: RunStage, tools: Tools) -> dict[str, Any]:
    """Run the steps of a stage."""
    return run_stage(run, intent.stage_id, tools)


@handles(RunStageElsewhere)
def look_after_stage(run: Run, intent: RunStageElsewhere, tools: Tools) -> None:
    """Let a stage wait for the runner that takes it from the API."""
    await_runner(run, intent.stage_id, tools)


@handles(PruneArtifacts)
def prune_expired_artifacts(run: Run, _: PruneArtifacts, tools: Tools) -> dict[str, Any]:
    """Delete the artifacts whose retention has passed."""
    return prune_artifacts(run, tools)


@handles(PruneCaches)
def prune_old_caches(run: Run, _: PruneCaches, tools: Tools) -> dict[str, Any]:
    """Delete caches by age and room."""
    return prune_caches(run, tools)


@handles(PruneDeliveries)
def prune_old_deliveries(run: Run, _: PruneDeliveries, tools: Tools) -> dict[str, Any]:
    """Forget the deliveries that are older than history is kept."""
    return prune_deliveries(run, tools)


@handles(RunSchedules)
def run_due_schedules(run: Run, _: RunSchedules, __: Tools) -> dict[str, Any]:
    """Start the executions that are due by the clock."""
    return run_schedules(run)


@handles(StartFollowers)
def start_following_pipelines(run: Run, intent: StartFollowers, _: Tools) -> None:
    """Start the pipelines that follow an execution, in the transaction that ends the job."""
    with run.recording() as (session, job):
        cause = f"followers:{job.id}"
        run.finish(session, job, start_followers(session, intent.execution_id, intent.status, cause))


@handles(ReportStatus)
def tell_status(run: Run, intent: ReportStatus, tools: Tools) -> dict[str, Any]:
    """Tell a code host how an execution fares."""
    return report_status(run, intent.execution_id, tools)
