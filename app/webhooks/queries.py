"""What is read of webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.orm import Session

from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.webhooks.models import FAILED, LOST, SUCCEEDED, Attempt, Delivery, Webhook, WebhookHealth

EQUAL: Final = ("status", "event_type", "event_id", "kind", "subject")


def visible_webhooks(caller: Principal, filters: Mapping[str, Any]) -> Select[Webhook]:
    """Select the endpoints a caller may read; filters: state, organization_id."""
    rows = select(Webhook).where(visible(caller, "webhooks:read", Webhook.organization_id, Webhook.client_id))
    return rows.where(*(getattr(Webhook, name) == value for name, value in filters.items()))


def health_of(session: Session, webhook_id: UUID) -> WebhookHealth:
    """Return how an endpoint fares."""
    return session.get_one(WebhookHealth, webhook_id)


def deliveries_of(webhook_id: UUID, filters: Mapping[str, Any]) -> Select[Delivery]:
    """Select the deliveries of an endpoint; filters: status, event_type, event_id, kind, subject, created_after,
    created_before."""
    rows = select(Delivery).where(Delivery.webhook_id == webhook_id)
    rows = rows.where(*(getattr(Delivery, name) == filters[name] for name in EQUAL if name in filters))
    if "created_after" in filters:
        rows = rows.where(Delivery.created_at >= filters["created_after"])
    if "created_before" in filters:
        rows = rows.where(Delivery.created_at < filters["created_before"])
    return rows


def attempts_of(session: Session, delivery_id: UUID) -> list[Attempt]:
    """Return the attempts of a delivery, the first one first."""
    mine = select(Attempt).where(Attempt.delivery_id == delivery_id)
    return list(session.scalars(mine.order_by(Attempt.number)))


def analyze(session: Session, webhook_id: UUID, start: datetime, end: datetime) -> dict[str, Any]:
    """Return how deliveries and attempts of a time have fared."""
    told = (Delivery.webhook_id == webhook_id, Delivery.created_at >= start, Delivery.created_at < end)
    tried = (Attempt.webhook_id == webhook_id, Attempt.begun_at >= start, Attempt.begun_at < end)
    by_status = _count(session, Delivery.status, told)
    succeeded, failed = by_status.get(SUCCEEDED, 0), by_status.get(FAILED, 0)
    ended = succeeded + failed
    ranks = (func.percentile_cont(rank).within_group(Attempt.milliseconds) for rank in (0.5, 0.99))
    times = select(func.avg(Attempt.milliseconds), *ranks).where(*tried, Attempt.status_code.is_not(None))
    mean, median, slowest = session.execute(times).one()
    by_outcome = _count(session, func.coalesce(Attempt.outcome, "unknown"), tried)
    return {
        "total_deliveries": sum(by_status.values()),
        "successful_deliveries": succeeded,
        "failed_deliveries": failed,
        "success_rate": round(succeeded / ended, 4) if ended else None,
        "attempts": sum(by_outcome.values()),
        "lost_attempts": by_outcome.get(LOST, 0),
        "average_response_time": _rounded(mean),
        "median_response_time": _rounded(median),
        "p99_response_time": _rounded(slowest),
        "by_status": by_status,
        "by_event": _count(session, Delivery.event_type, told),
        "by_status_code": _count(
            session, func.coalesce(Attempt.status_code, 0), (*tried, Attempt.outcome.is_not(None))
        ),
    }


def _count(session: Session, what: ColumnElement[Any] | Any, where: tuple[ColumnElement[bool], ...]) -> dict[str, int]:
    rows = session.execute(select(what, func.count()).where(*where).group_by(literal_column("1")))
    return {("none" if name == 0 else str(name)): count for name, count in rows}


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(float(milliseconds), 1)
