"""Telling a code host how an execution fares."""

from __future__ import annotations

from typing import Any, Final, cast
from uuid import UUID

from app.jobs import Run
from app.kernel.errors import Permanent
from app.pipelines import STATUS_TOKENS, StatusReport, read_report, reveal_secrets
from tasks.pipelines.gateways.statuses import CommitStatus, State
from tasks.tools import Tools

# An execution changes its state some few times; each report that was late is followed by one of what is true now.
MOST_REPORTS: Final = 10


class StatusTokenMissing(Permanent):
    """The workspace has no secret STATUS_TOKEN or REPOSITORY_TOKEN to tell its code host by."""

    code = "STATUS_TOKEN_MISSING"


def report_status(run: Run, execution_id: UUID, tools: Tools) -> dict[str, Any]:
    """Tell the host of the execution as it is, and again if it has changed meanwhile: whichever of two reports comes
    last, it ends with what is true. Raises StatusTokenMissing, StatusRefused, StatusHostAway or an OutgoingError.
    """
    told: StatusReport | None = None
    for _ in range(MOST_REPORTS):
        run.check()
        with run.reading() as session:
            report = read_report(session, execution_id)
        if report is None or (told is not None and report.state == told.state):
            break
        tools.statuses.report(_status_of(report, execution_id, tools), _token_of(run, report, tools))
        told = report
    return {"reported": told is not None, "state": told.state if told else None}


def _token_of(run: Run, report: StatusReport, tools: Tools) -> str:
    with run.reading() as session:
        values = reveal_secrets(session, tools.vault, report.workspace_id, STATUS_TOKENS)
    for name in STATUS_TOKENS:
        if name in values:
            return values[name]
    raise StatusTokenMissing


def _status_of(report: StatusReport, execution_id: UUID, tools: Tools) -> CommitStatus:
    return CommitStatus(
        provider=report.provider,
        api_url=report.api_url,
        repository_url=report.repository_url,
        commit_sha=report.commit_sha,
        state=cast("State", report.state),
        context=report.context,
        description=report.description,
        target_url=f"{tools.public_url.rstrip('/')}/api/v1/executions/{execution_id}",
    )
