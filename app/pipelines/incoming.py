"""What a delivery of a code host starts in a workspace. The session comes first; nothing here commits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import sql_days
from app.kernel.errors import HeadraceError
from app.kernel.ids import new_id
from app.pipelines.definition import PullRequest, from_stored_triggers
from app.pipelines.models import Pipeline, WebhookDelivery
from app.pipelines.models.webhook import NOTHING, PONG, TRIGGERED
from app.pipelines.service import Start, start_execution
from app.pipelines.triggers import RepositoryEvent, Verdict, find_skip_reason, judge_all
from app.tenancy import Workspace

# A tenant's own patterns against a tenant's own paths: neither may hold a thread of the API for long.
JUDGING_SECONDS = 2.0
NO_PIPELINES = "No pipeline of this workspace has triggers."


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, whose sender is known by now."""

    provider: str
    delivery_id: str
    body_sha256: str
    event: RepositoryEvent


def take_delivery(session: Session, workspace_ids: Sequence[UUID], delivery: Delivery) -> list[WebhookDelivery]:
    """Start what the delivery starts in each of the workspaces, and return what they made of it.

    What was delivered before, by its id or with the same body, starts nothing and is answered as it was then: bodies
    are signed, ids are not, nor is the kind of host they come from, and GitHub and Gitea sign alike.
    """
    return [_take(session, workspace_id, delivery) for workspace_id in sorted(workspace_ids)]


def _take(session: Session, workspace_id: UUID, delivery: Delivery) -> WebhookDelivery:
    workspace = session.get_one(Workspace, workspace_id)
    row_id = _write(session, workspace, delivery)
    if row_id is None:
        return _repeat(session, workspace_id, delivery)
    row = session.get_one(WebhookDelivery, row_id)
    row.outcome, row.reason, row.executions = _react(session, workspace, delivery.event, row_id)
    session.flush()
    return row


def _write(session: Session, workspace: Workspace, delivery: Delivery) -> UUID | None:
    """Write the row of a new delivery; None for one that is there. Who delivers it at the same time waits here."""
    event = delivery.event
    values = {
        "id": new_id(),
        "organization_id": workspace.organization_id,
        "workspace_id": workspace.id,
        "provider": delivery.provider,
        "delivery_id": delivery.delivery_id,
        "body_sha256": delivery.body_sha256,
        "event": event.event,
        "kind": event.kind,
        "action": event.action,
        "branch": event.branch,
        "tag": event.tag,
        "commit_sha": event.commit,
        "pull_request": event.number,
        "fork": event.fork,
        "sender": event.sender,
        "outcome": NOTHING,
        "executions": [],
    }
    written = insert(WebhookDelivery).values(values).on_conflict_do_nothing().returning(WebhookDelivery.id)
    return session.execute(written).scalar()


def _repeat(session: Session, workspace_id: UUID, delivery: Delivery) -> WebhookDelivery:
    same_id = (WebhookDelivery.provider == delivery.provider) & (WebhookDelivery.delivery_id == delivery.delivery_id)
    same = or_(same_id, WebhookDelivery.body_sha256 == delivery.body_sha256)
    found = (
        select(WebhookDelivery)
        .where(WebhookDelivery.workspace_id == workspace_id, same)
        .order_by(WebhookDelivery.created_at)
        .limit(1)
    )
    row = session.execute(found).scalar_one()
    session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id == row.id)
        .values(redelivered=func.coalesce(WebhookDelivery.redelivered, 0) + 1)
    )
    return row


def _react(
    session: Session, workspace: Workspace, event: RepositoryEvent, row_id: UUID
) -> tuple[str, str | None, list[dict[str, Any]]]:
    if event.kind == "ping":
        return PONG, None, []
    refused = event.reason if event.kind == "ignored" else find_skip_reason(event)
    if refused is not None:
        return NOTHING, refused, []
    deadline = time.monotonic() + JUDGING_SECONDS
    verdicts = [
        (pipeline_id, name, judge_all(from_stored_triggers(triggers), event, lambda: time.monotonic() > deadline))
        for pipeline_id, name, triggers in _with_triggers(session, workspace.id)
    ]
    results = [_react_for(session, workspace, *judged, event, row_id) for judged in verdicts]
    if any(result["execution_id"] for result in results):
        return TRIGGERED, None, results
    return NOTHING, "No trigger matches." if results else NO_PIPELINES, results


def _with_triggers(session: Session, workspace_id: UUID) -> list[tuple[UUID, str, list[Any]]]:
    """Return the pipelines that have triggers, in the order in which all who start several lock them."""
    triggers = Pipeline.definition["triggers"]
    rows = session.execute(
        select(Pipeline.id, Pipeline.name, triggers)
        .where(Pipeline.workspace_id == workspace_id, func.jsonb_array_length(triggers) > 0)
        .order_by(Pipeline.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _react_for(
    session: Session,
    workspace: Workspace,
    pipeline_id: UUID,
    name: str,
    verdict: Verdict,
    event: RepositoryEvent,
    row_id: UUID,
) -> dict[str, Any]:
    result: dict[str, Any] = {"pipeline_id": str(pipeline_id), "pipeline": name, "execution_id": None}
    if verdict.trigger_type is None:
        return result | {"reason": verdict.reason}
    pipeline = session.get_one(Pipeline, pipeline_id)
    start = start_of(event, verdict.trigger_type, f"delivery:{row_id}:{pipeline_id}")
    try:
        with session.begin_nested():
            started = start_execution(session, pipeline, workspace, start, None)
    except HeadraceError as error:
        return result | {"reason": error.message}
    return result | {"execution_id": str(started.execution.id), "reason": None}


def start_of(event: RepositoryEvent, trigger_type: str, cause: str) -> Start:
    """Return how an execution of an event is started; one of a fork's pull request is not trusted."""
    start: dict[str, Any] = {"trigger": trigger_type, "commit_sha": event.commit, "cause": cause}
    if event.kind == "pull_request" and event.number is not None:
        start |= {
            "branch": f"pull/{event.number}",
            "pull_request": PullRequest(event.number, event.branch or "", event.base_branch or ""),
            "fetch_ref": event.fetch_ref,
            "trusted": not event.fork,
        }
    elif event.kind == "tag":
        start["tag"] = event.tag
    else:
        start["branch"] = event.branch
    return Start(**start)


def executions_of(rows: Sequence[WebhookDelivery]) -> list[str]:
    """Return the ids of all that deliveries started."""
    return [one["execution_id"] for row in rows for one in row.executions if one["execution_id"]]


def summarise(rows: Sequence[WebhookDelivery]) -> Mapping[str, Any]:
    """Return what the sender of a delivery is answered."""
    executions = executions_of(rows)
    count = len(executions)
    said = f"{count} execution{'' if count == 1 else 's'} started"
    message = "pong" if all(row.outcome == PONG for row in rows) else said if count else "nothing to start"
    return {"message": message, "executions_triggered": count, "executions": executions}


def forget_deliveries(session: Session, days: int, limit: int = 5000) -> int:
    """Delete some of the deliveries older than `days`; returns how many. What is forgotten could be delivered anew, but
    no host keeps deliveries that long."""
    old = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.created_at < func.clock_timestamp() - sql_days(days))
        .limit(limit)
    )
    gone = session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(old)))
    return int(gone.rowcount)  # type: ignore[attr-defined]
