"""How an execution fares, as a code host is told. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app import jobs
from app.pipelines.intents import ReportStatus
from app.pipelines.models import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    TIMED_OUT,
    Execution,
    Pipeline,
    PipelineSettings,
)

PENDING: Final = "pending"
STATES: Final[Mapping[str, str]] = {
    SUCCEEDED: "success",
    FAILED: "failure",
    TIMED_OUT: "failure",
    CANCELLED: "error",
}
TOKENS: Final = ("STATUS_TOKEN", "REPOSITORY_TOKEN")
"""The secrets of a workspace that may open the host's API; the first that is there does."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a host is to be told of an execution's commit; `context` names the status, one for each pipeline."""

    provider: str
    api_url: str | None
    workspace_id: UUID
    repository_url: str
    commit_sha: str
    state: str
    context: str
    description: str


def accept_report(session: Session, event: dict[str, Any], event_id: UUID) -> None:
    """Ask that a host be told, after an `execution.started` or `.finished`, if the workspace wants that."""
    settings = session.get(PipelineSettings, UUID(event["workspace_id"]))
    if settings is None or settings.report_status is None:
        return
    execution_id = UUID(event["execution_id"])
    jobs.accept(
        session,
        ReportStatus(execution_id),
        organization_id=settings.organization_id,
        workspace_id=settings.workspace_id,
        resource=("execution", execution_id),
        key=f"status:{event_id}",
    )


def read_report(session: Session, execution_id: UUID) -> StatusReport | None:
    """Return what is to be told of an execution as it is now; None where nobody is to hear it, or it has no commit."""
    execution = session.get(Execution, execution_id)
    settings = session.get(PipelineSettings, execution.workspace_id) if execution else None
    if execution is None or settings is None or settings.report_status is None or execution.commit_sha is None:
        return None
    pipeline = session.get_one(Pipeline, execution.pipeline_id)
    return StatusReport(
        provider=settings.report_status,
        api_url=settings.status_api_url,
        workspace_id=execution.workspace_id,
        repository_url=execution.repository_url,
        commit_sha=execution.commit_sha,
        state=STATES.get(execution.status, PENDING),
        context=f"headrace/{pipeline.name}{'/pull_request' if execution.pull_request else ''}",
        description=_describe(execution),
    )


def _describe(execution: Execution) -> str:
    said = f"Execution {execution.number} {execution.status.replace('_', ' ')}"
    if execution.started_at is None or execution.finished_at is None:
        return said
    seconds = round((execution.finished_at - execution.started_at).total_seconds())
    minutes, rest = divmod(seconds, 60)
    return f"{said} after {f'{minutes} min {rest} s' if minutes else f'{rest} s'}"
