"""Pipelines: definitions kept in a workspace, executed by a frozen plan. The unit of work is the stage; stages form a
graph and run on any worker. An execution's job is parked while its stages run, and ends in the transaction in which the
last of them ends, whoever ends it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import jobs, tenancy
from app.pipelines.admission import admit_executions
from app.pipelines.caches import find_cache, has_cache, keep_cache, may_read_cache, overdue_caches, remove_caches
from app.pipelines.chaining import accept_followers, start_followers
from app.pipelines.deploying import admit_deployments
from app.pipelines.errors import (
    ApprovalExpired,
    ConditionInvalid,
    IncludeInvalid,
    RunnerAwaitedInVain,
    StageFailed,
    StageTimedOut,
)
from app.pipelines.failing import stage_failure
from app.pipelines.incoming import forget_deliveries
from app.pipelines.intents import (
    AdmitDeployments,
    AdmitExecutions,
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
)
from app.pipelines.keeping import Places
from app.pipelines.log_format import LogLine, LogStream, Segment, decode_chunk, encode_chunk, text_of
from app.pipelines.logs import LogFollower, LogReader
from app.pipelines.models import FINAL, Artifact, Execution, LogChunk, Pipeline, Stage, Step, StoredCache
from app.pipelines.planned import complete_execution
from app.pipelines.progress import begin_execution, execution_job_ended, gate_job_ended, stage_job_ended
from app.pipelines.quotas import QuotaExceeded, apply_quotas
from app.pipelines.recording import (
    Briefing,
    NeededArtifact,
    StepEnd,
    add_log_chunk,
    expired_artifacts,
    finish_step,
    log_key,
    log_topic,
    read_briefing,
    replace_artifacts,
    start_stage,
    start_step,
)
from app.pipelines.reporting import TOKENS as STATUS_TOKENS
from app.pipelines.reporting import StatusReport, accept_report, read_report
from app.pipelines.reports import record_report
from app.pipelines.retrying import execution_job_retried
from app.pipelines.runner_waits import describe as describe_wait
from app.pipelines.runner_waits import end_wait, say_wait
from app.pipelines.scheduling import run_next_due
from app.pipelines.secrets import OF_REPOSITORY, reveal_for_stage, reveal_nearest, reveal_secrets
from app.pipelines.workspaces import refuse_while_running, tell_activity

if TYPE_CHECKING:
    from app.pipelines.routes import blueprints

tenancy.tells_activity(tell_activity)
tenancy.before_deletion(refuse_while_running)
jobs.follow(ExecutePipeline.kind, ended=execution_job_ended, retried=execution_job_retried)
jobs.follow(AwaitApproval.kind, ended=gate_job_ended)
jobs.follow(RunStage.kind, ended=stage_job_ended)
jobs.follow(RunStageElsewhere.kind, ended=stage_job_ended)

__all__ = [
    "FINAL",
    "OF_REPOSITORY",
    "STATUS_TOKENS",
    "AdmitDeployments",
    "AdmitExecutions",
    "ApprovalExpired",
    "Artifact",
    "AwaitApproval",
    "Briefing",
    "ConditionInvalid",
    "ExecutePipeline",
    "Execution",
    "IncludeInvalid",
    "LogChunk",
    "LogFollower",
    "LogLine",
    "LogReader",
    "LogStream",
    "NeededArtifact",
    "Pipeline",
    "Places",
    "PruneArtifacts",
    "PruneCaches",
    "PruneDeliveries",
    "QuotaExceeded",
    "ReportStatus",
    "RunSchedules",
    "RunStage",
    "RunStageElsewhere",
    "RunnerAwaitedInVain",
    "Segment",
    "Stage",
    "StageFailed",
    "StageTimedOut",
    "StartFollowers",
    "StatusReport",
    "Step",
    "StepEnd",
    "StoredCache",
    "accept_followers",
    "accept_report",
    "add_log_chunk",
    "admit_deployments",
    "admit_executions",
    "apply_quotas",
    "begin_execution",
    "blueprints",
    "complete_execution",
    "decode_chunk",
    "describe_wait",
    "encode_chunk",
    "end_wait",
    "expired_artifacts",
    "find_cache",
    "finish_step",
    "forget_deliveries",
    "has_cache",
    "keep_cache",
    "log_key",
    "log_topic",
    "may_read_cache",
    "overdue_caches",
    "read_briefing",
    "read_report",
    "record_report",
    "remove_caches",
    "replace_artifacts",
    "reveal_for_stage",
    "reveal_nearest",
    "reveal_secrets",
    "run_next_due",
    "say_wait",
    "stage_failure",
    "start_followers",
    "start_stage",
    "start_step",
    "text_of",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers enter this room too.
    if name == "blueprints":
        return import_module("app.pipelines.routes").blueprints
    raise AttributeError(name)
