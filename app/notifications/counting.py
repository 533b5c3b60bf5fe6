"""How many notifications, and recipients of them, have ended in which way: counted of those that are kept, and added up
of those that were forgotten. The session comes first; nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, cast, false, func, literal_column, null, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.kernel.ids import new_id
from app.notifications.models import (
    GROUPED,
    LOST,
    REACHED,
    TYPES,
    Notification,
    NotificationTotal,
    Recipient,
)
from app.notifications.providers import Owner, is_of

OWNERS: Final = ("organization_id", "client_id")
_TOTALS = table_of(NotificationTotal)


class Counted(NamedTuple):
    """So many of the same: of a day, a channel and so on."""

    day: date
    channel: str
    of_recipients: bool
    template_id: UUID | None
    provider: str | None
    status: str
    code: str | None
    is_fallback: bool
    many: int


def fold_totals(session: Session, ids: Sequence[UUID]) -> None:
    """Add notifications that are about to be forgotten to the numbers that stay."""
    for statement in _grouped(Notification.id.in_(ids), *(getattr(Notification, name) for name in OWNERS)):
        rows = [{"id": new_id(), **row._mapping} for row in session.execute(statement)]  # noqa: SLF001 - its public name
        if not rows:
            continue
        added = insert(_TOTALS).values(rows)
        more = {"count": _TOTALS.c.count + added.excluded.count}
        session.execute(added.on_conflict_do_update(constraint="uq_notification_totals", set_=more))


def analyze(session: Session, owner: Owner, start: datetime, end: datetime) -> dict[str, Any]:
    """Return how an owner's notifications of a time have fared, in the shapes of both inventories. Of those that were
    forgotten whole days count."""
    counted = _read(session, owner, start, end)
    recipients = [one for one in counted if one.of_recipients]
    whole = _numbers(recipients)
    notifications = [one for one in counted if not one.of_recipients]
    return {
        "total_notifications": sum(one.many for one in notifications),
        "by_status": _sum(notifications, lambda one: one.status),
        "by_type": _sum(notifications, lambda one: one.channel),
        "recipients_by_status": _sum(recipients, lambda one: one.status),
        "by_provider": _sum(recipients, lambda one: one.provider),
        "by_reason": _sum(recipients, lambda one: one.code),
        "successful_deliveries": whole["successful"],
        "failed_deliveries": whole["failed"],
        "success_rate": whole["success_rate"],
        "delivery_rate": whole["success_rate"],
        "by_channel": {
            **{channel: _numbers(()) for channel in TYPES},
            **_split(recipients, lambda one: one.channel),
        },
        "by_day": _split(recipients, lambda one: one.day),
        "by_template": _split(recipients, lambda one: one.template_id),
        "fallback_usage": sum(one.many for one in recipients if one.is_fallback),
    }


def _read(session: Session, owner: Owner, start: datetime, end: datetime) -> list[Counted]:
    asked = is_of(Notification, owner) & (Notification.created_at >= start) & (Notification.created_at < end)
    kept = [Counted(*row) for statement in _grouped(asked) for row in session.execute(statement)]
    columns = (getattr(NotificationTotal, name) for name in (*GROUPED, "count"))
    days = NotificationTotal.day.between(start.astimezone(UTC).date(), end.astimezone(UTC).date())
    gone = select(*columns).where(is_of(NotificationTotal, owner), days)
    return kept + [Counted(*row) for row in session.execute(gone)]


def _grouped(which: ColumnElement[bool], *more: Any) -> tuple[Select[Any], Select[Any]]:
    """Count notifications, and their recipients, by all that numbers are asked for by."""
    # A bound parameter would be another one where it is grouped by.
    day = cast(func.timezone(literal_column("'UTC'"), Notification.created_at), Date).label("day")
    shared = (day, Notification.type.label("channel"))
    none = null().label("provider"), Notification.status, null().label("code"), false().label("is_fallback")
    its = Recipient.provider, Recipient.status, Recipient.code, Recipient.is_fallback
    count = func.count().label("count")
    whole = select(*shared, false().label("of_recipients"), Notification.template_id, *none, count, *more)
    parts = select(*shared, true().label("of_recipients"), Notification.template_id, *its, count, *more)
    return (
        whole.where(which).group_by(*shared, Notification.template_id, Notification.status, *more),
        parts.select_from(Notification)
        .join(Recipient, Recipient.notification_id == Notification.id)
        .where(which)
        .group_by(*shared, Notification.template_id, *its, *more),
    )


def _split(counted: Iterable[Counted], by: Callable[[Counted], Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, list[Counted]] = {}
    for one in counted:
        if (name := by(one)) is not None:
            found.setdefault(str(name), []).append(one)
    return {name: _numbers(found[name]) for name in sorted(found)}


def _numbers(counted: Iterable[Counted]) -> dict[str, Any]:
    by_status = _sum(counted, lambda one: one.status)
    reached, lost = (sum(by_status.get(status, 0) for status in some) for some in (REACHED, LOST))
    rate = round(reached / (reached + lost), 4) if reached + lost else None
    return {"total": sum(by_status.values()), "successful": reached, "failed": lost, "success_rate": rate}


def _sum(counted: Iterable[Counted], by: Callable[[Counted], Any]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for one in counted:
        if (name := by(one)) is not None:
            sums[str(name)] += one.many
    return dict(sums)
