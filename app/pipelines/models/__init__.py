"""The tables of pipelines, and the states and legal moves of what runs."""

from app.pipelines.models.approval import DECISIONS, StageApproval
from app.pipelines.models.attempt import StepAttempt
from app.pipelines.models.cache import StoredCache
from app.pipelines.models.environment import DEPLOYMENT_STATUSES, Deployment, Environment
from app.pipelines.models.execution import (
    CANCELLED,
    FAILED,
    FINAL,
    QUEUED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    TIMED_OUT,
    WAITING,
    Execution,
    Stage,
    Step,
)
from app.pipelines.models.kept import NEAREST_FIRST, Kept, Secret, Variable
from app.pipelines.models.pipeline import Pipeline
from app.pipelines.models.produce import Artifact, LogChunk
from app.pipelines.models.quota import PlanQuota
from app.pipelines.models.report import Report, ReportedTest
from app.pipelines.models.schedule import Schedule
from app.pipelines.models.settings import PipelineSettings
from app.pipelines.models.webhook import WebhookDelivery, WorkspaceWebhook

__all__ = [
    "CANCELLED",
    "DECISIONS",
    "DEPLOYMENT_STATUSES",
    "FAILED",
    "FINAL",
    "NEAREST_FIRST",
    "QUEUED",
    "RUNNING",
    "SKIPPED",
    "SUCCEEDED",
    "TIMED_OUT",
    "WAITING",
    "Artifact",
    "Deployment",
    "Environment",
    "Execution",
    "Kept",
    "LogChunk",
    "Pipeline",
    "PipelineSettings",
    "PlanQuota",
    "Report",
    "ReportedTest",
    "Schedule",
    "Secret",
    "Stage",
    "StageApproval",
    "Step",
    "StepAttempt",
    "StoredCache",
    "Variable",
    "WebhookDelivery",
    "WorkspaceWebhook",
]
