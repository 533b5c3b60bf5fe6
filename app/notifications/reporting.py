"""Applying what providers say of mails, in whatever order and however often it comes. The session comes first; nothing
here commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.ids import new_id
from app.notifications.addresses import find_address_fault, fold
from app.notifications.attempts import note_found, unknown_attempts
from app.notifications.callbacks import Said
from app.notifications.models import (
    BOUNCED,
    CLICKED,
    COMPLAINED,
    DELIVERED,
    FAILED,
    OPENED,
    PENDING,
    RETRYING,
    UNSUBSCRIBED,
    Notification,
    Recipient,
    Report,
    Suppression,
)
from app.notifications.outcomes import settle
from app.notifications.providers import Owner, is_of

FOUND: Final = "The provider tells of it."
MARKS: Final = {
    DELIVERED: "delivered_at",
    BOUNCED: "bounced_at",
    COMPLAINED: "complained_at",
    OPENED: "opened_at",
    CLICKED: "clicked_at",
}

_REPORTS: Final = table_of(Report)


def apply(session: Session, owner: Owner, provider: str, said: Sequence[Said]) -> int:
    """Write what a provider of an owner says of mails, those of others left out; returns how much of it was news."""
    found = _find(session, owner, said)
    told = [(found[key], one) for one in said if (key := _key_of(one, found)) is not None]
    rows = {(recipient.id, one.key): _report(recipient, provider, one) for recipient, one in told}
    fresh = _keep(session, list(rows.values())) if rows else set()
    now = session.execute(select(database_now())).scalar_one()
    news = [(recipient, one) for recipient, one in told if (recipient.id, one.key) in fresh]
    for recipient, one in news:
        _apply(session, recipient, one, now)
    _suppress(session, owner, news)
    return len(fresh)


def _keep(session: Session, rows: list[dict[str, Any]]) -> set[tuple[UUID, str]]:
    """Write reports; returns the keys of those that had not been written before."""
    written = insert(_REPORTS).on_conflict_do_nothing().returning(_REPORTS.c.recipient_id, _REPORTS.c.key)
    return {(row.recipient_id, row.key) for row in session.execute(written, rows)}


def _find(session: Session, owner: Owner, said: Iterable[Said]) -> dict[Any, Recipient]:
    """Lock the recipients whose mails are told of, by both of their ids."""
    ids = {one.mail_id for one in said if one.mail_id}
    others = {one.message_id for one in said if one.message_id and not one.mail_id}
    mine = (
        select(Recipient)
        .join(Notification, Notification.id == Recipient.notification_id)
        .where(is_of(Notification, owner), or_(Recipient.id.in_(ids), Recipient.provider_message_id.in_(others)))
        .order_by(Recipient.id)
        .with_for_update(of=Recipient)
        .execution_options(populate_existing=True)
    )
    rows = list(session.scalars(mine)) if ids or others else []
    return {key: row for row in rows for key in (row.id, row.provider_message_id) if key}


def _key_of(one: Said, found: dict[Any, Recipient]) -> UUID | str | None:
    return next((key for key in (one.mail_id, one.message_id) if key in found), None)


def _report(recipient: Recipient, provider: str, one: Said) -> dict[str, Any]:
    address = one.address or recipient.mail_address
    said = {"kind": one.kind, "key": one.key, "reason": one.reason, "url": one.url, "happened_at": one.happened_at}
    return {"recipient_id": recipient.id, "provider": provider, "address": address, **said}


def _apply(session: Session, recipient: Recipient, one: Said, now: datetime) -> None:
    """What is said of somebody who got a copy says nothing of the recipient."""
    mark = MARKS.get(one.kind)
    if mark is None or not _is_about(recipient, one):
        return
    if getattr(recipient, mark) is None:
        setattr(recipient, mark, min(one.happened_at or now, now))
    if one.kind == BOUNCED:
        recipient.bounce_reason = recipient.bounce_reason or one.reason
    session.flush()
    if recipient.status in (PENDING, RETRYING, FAILED) and unknown_attempts(session, [recipient.id]):
        note_found(session, recipient.id, FOUND, one.message_id)
    settle(session, recipient)


def _is_about(recipient: Recipient, one: Said) -> bool:
    return not one.address or fold(one.address) == fold(recipient.mail_address)


def _suppress(session: Session, owner: Owner, news: Sequence[tuple[Recipient, Said]]) -> None:
    """Let nothing more be sent to addresses that do not exist, or do not want it."""
    wanted = {
        fold(one.address or recipient.mail_address): (one.kind, recipient.notification_id)
        for recipient, one in news
        if one.is_permanent or one.kind in (COMPLAINED, UNSUBSCRIBED)
    }
    rows = [
        {"id": new_id(), "address": address, "reason": reason, "notification_id": notification_id, **owner}
        for address, (reason, notification_id) in sorted(wanted.items())
        if find_address_fault(address) is None
    ]
    if rows:
        session.execute(insert(table_of(Suppression)).on_conflict_do_nothing(), rows)
    session.flush()
