"""Events that are delivered again: read from the log, a page a transaction, oldest first.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.events import EventRecord, dispatched_since
from app.webhooks.errors import WebhookGone
from app.webhooks.fanout import deliver, listening, sweep_soon, wants
from app.webhooks.lines import let_next_go, lock_health, moment_now
from app.webhooks.models import DELIVERING, SUCCEEDED, Delivery, Webhook

PAGE = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replay is: the last event it has dealt with, and how many were written or are delivered again."""

    after: UUID | None = None
    written: int = 0
    again: int = 0
    is_over: bool = False


def replay_page(
    session: Session, webhook_id: UUID, since: datetime, until: datetime, so_far: Replayed, *, only_missing: bool
) -> Replayed:
    """Deal with the next events of a time; what is still on its way is left alone. Raises WebhookGone."""
    listener = session.execute(listening().where(Webhook.id == webhook_id)).one_or_none()
    if listener is None:
        raise WebhookGone
    page = dispatched_since(listener.organization_id, listener.client_id, since, so_far.after, PAGE)
    records = [record for record in session.scalars(page) if record.created_at < until]
    if not records:
        return Replayed(so_far.after, so_far.written, so_far.again, is_over=True)
    wanted = [record for record in records if wants(listener, record)]
    known = _find_known(session, webhook_id, wanted)
    fresh = [record for record in wanted if record.id not in known]
    if fresh:
        deliver(session, [(listener, fresh)])
    again = _begin_again(session, webhook_id, list(known.values()), only_missing=only_missing)
    if wanted:
        sweep_soon(session)
    return Replayed(records[-1].id, so_far.written + len(fresh), so_far.again + again)


def _find_known(session: Session, webhook_id: UUID, records: Sequence[EventRecord]) -> dict[UUID, Delivery]:
    ids = [record.id for record in records]
    mine = select(Delivery).where(Delivery.webhook_id == webhook_id, Delivery.event_id.in_(ids))
    return {row.event_id: row for row in session.scalars(mine)}


def _begin_again(session: Session, webhook_id: UUID, deliveries: Sequence[Delivery], *, only_missing: bool) -> int:
    health = lock_health(session, [webhook_id])[webhook_id]
    moment = moment_now(session)
    again = []
    for delivery in deliveries:
        session.refresh(delivery, with_for_update=True)
        if delivery.status == DELIVERING or (only_missing and delivery.status == SUCCEEDED):
            continue
        delivery.replay()
        delivery.next_attempt_at = moment if delivery.sequence is None else None
        again.append(delivery)
    if again:
        health.due_at = moment
    session.flush()
    ordered = {(webhook_id, str(one.subject)) for one in again if one.sequence is not None}
    let_next_go(session, sorted(ordered), moment)
    return len(again)
