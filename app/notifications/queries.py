"""What is read of notifications."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.notifications.addresses import fold
from app.notifications.models import (
    Notification,
    Recipient,
    SendAttempt,
    Suppression,
    Template,
)

SHOWN_ATTEMPTS = 100

_ATTEMPT: tuple[Any, ...] = (
    Recipient.notification_id,
    Recipient.address.label("recipient"),
    SendAttempt.number.label("attempt_number"),
    SendAttempt.provider.label("provider_name"),
    SendAttempt.begun_at.label("attempted_at"),
    SendAttempt.outcome.label("status"),
    SendAttempt.code.label("error_code"),
    SendAttempt.response.label("provider_response"),
    SendAttempt.milliseconds.label("response_time_ms"),
)


def visible_notifications(caller: Principal, filters: Mapping[str, Any]) -> Select[Notification]:
    """Select the notifications a caller may read; filters: status, type, recipient, room_id, organization_id, and
    start_date or created_after, end_date or created_before."""
    rows = select(Notification).where(_may_read(caller, Notification))
    equal = ("status", "type", "room_id", "organization_id")
    rows = rows.where(*(getattr(Notification, name) == filters[name] for name in equal if name in filters))
    if "recipient" in filters:
        named = select(Recipient.notification_id).where(func.lower(Recipient.address) == fold(filters["recipient"]))
        rows = rows.where(Notification.id.in_(named))
    since = (filters[name] for name in ("start_date", "created_after") if name in filters)
    until = (filters[name] for name in ("end_date", "created_before") if name in filters)
    moment = Notification.created_at
    return rows.where(*(moment >= first for first in since), *(moment < end for end in until))


def visible_templates(caller: Principal) -> Select[Template]:
    """Select the templates a caller may read."""
    return select(Template).where(_may_read(caller, Template))


def visible_suppressions(caller: Principal, filters: Mapping[str, Any]) -> Select[Suppression]:
    """Select the suppressions a caller may read; filters: address, reason, organization_id."""
    rows = select(Suppression).where(_may_read(caller, Suppression))
    wanted = {**filters, **({"address": fold(filters["address"])} if "address" in filters else {})}
    return rows.where(*(getattr(Suppression, name) == value for name, value in wanted.items()))


def recipients_of(notification_id: UUID, filters: Mapping[str, Any]) -> Select[Recipient]:
    """Select the recipients of a notification; filters: status, code."""
    rows = select(Recipient).where(Recipient.notification_id == notification_id)
    return rows.where(*(getattr(Recipient, name) == value for name, value in filters.items()))


def count_recipients(session: Session, notification_id: UUID) -> dict[str, int]:
    """Return how many recipients there are of each status."""
    rows = select(Recipient.status, func.count()).where(Recipient.notification_id == notification_id)
    return {row[0]: row[1] for row in session.execute(rows.group_by(Recipient.status))}


def newest_attempts(session: Session, notification_id: UUID) -> list[Row[Any]]:
    """Return the newest attempts of a notification, the newest first, as its API shows them."""
    return list(session.execute(_attempts().where(Recipient.notification_id == notification_id)))


def _attempts() -> Select[Any]:
    newest = select(*_ATTEMPT).join(Recipient, Recipient.id == SendAttempt.recipient_id)
    return newest.order_by(SendAttempt.begun_at.desc()).limit(SHOWN_ATTEMPTS)


def outcomes_of(session: Session, notification_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return how some notifications to one recipient each fare: `status`, of the recipient `code` and `reason`, and the
    `attempts`, the newest first. Those that are not kept any more are left out."""
    of_them = Recipient.notification_id.in_(notification_ids)
    columns = (Recipient.notification_id, Recipient.status, Recipient.code, Recipient.reason)
    found: dict[UUID, dict[str, Any]] = {
        row[0]: {"status": row[1], "code": row[2], "reason": row[3], "attempts": []}
        for row in session.execute(select(*columns).where(of_them))
    }
    for row in session.execute(_attempts().where(of_them)).mappings():
        said = {name: value for name, value in row.items() if name != "notification_id"}
        found[row["notification_id"]]["attempts"].append(said | {"attempted_at": format_time(row["attempted_at"])})
    return found


def _may_read(caller: Principal, model: Any) -> ColumnElement[bool]:
    return visible(caller, "notifications:read", model.organization_id, model.client_id)
