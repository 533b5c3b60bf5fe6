"""Taking what is due: endpoint by endpoint, so that one with a long line costs the others nothing, and each delivery by
a lease, so that any number of workers take each once and one that is killed loses nothing.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row, and_, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.kernel.crypto import Vault
from app.kernel.db import table_of
from app.webhooks.lines import lock_health, moment_now
from app.webhooks.models import (
    DELIVERING,
    LISTENING,
    LOST,
    TEST,
    Attempt,
    Delivery,
    Webhook,
    WebhookHealth,
    vault_context,
)
from app.webhooks.signing import read_secret

# An endpoint that takes longer than this for one is not asked for more at once.
SLOW: Final = timedelta(seconds=2)
LOST_ERROR: Final = "The worker was lost before it told what came of it; the receiver may have got it."

_DELIVERIES = table_of(Delivery)
_ATTEMPTS = table_of(Attempt)
_OF_ENDPOINT = ("url", "secret", "previous_secret", "previous_until", "custom_headers")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent now, with what signs it. `keys` are the endpoint's secret and, for a while, the one before."""

    delivery_id: UUID
    attempt: int
    webhook_id: UUID
    event_id: UUID
    is_test: bool
    url: str
    body: bytes
    keys: tuple[bytes, ...]
    headers: Mapping[str, str]


def take_due(session: Session, vault: Vault, limit: int, lease: float, *, suspects: bool) -> list[Order]:
    """Take deliveries that are due, at endpoints that are well or at the `suspects`, whose last attempt failed: those
    get one at a time. The attempts are written; for `lease` seconds nobody else takes them."""
    moment = moment_now(session)
    endpoints = _choose(session, limit, moment, suspects=suspects)
    if not endpoints:
        return []
    rooms = {row.webhook_id: room for row in endpoints if (room := _room_of(row, moment)) > 0}
    ids = _find_due(session, rooms, limit, moment) if rooms else []
    orders = _begin(session, vault, ids, moment, lease) if ids else []
    taken: dict[UUID, int] = {}
    for order in orders:
        taken[order.webhook_id] = taken.get(order.webhook_id, 0) + 1
    _say_when(session, [row.webhook_id for row in endpoints], rooms, taken, moment)
    return orders


def take_one(session: Session, vault: Vault, delivery: Delivery, lease: float) -> Order:
    """Begin an attempt of a delivery now, whatever its time; its endpoint's health is locked by that."""
    health = lock_health(session, [delivery.webhook_id])[delivery.webhook_id]
    moment = moment_now(session)
    (order,) = _begin(session, vault, [delivery.id], moment, lease)
    ends = moment + timedelta(seconds=lease)
    health.due_at = min(health.due_at or ends, ends)
    return order


def left_of_lease(session: Session, delivery: Delivery) -> float:
    """Return the seconds after which a delivery that is on its way counts as lost."""
    ends = delivery.next_attempt_at
    return (ends - moment_now(session)).total_seconds() if ends is not None else 0.0


def _choose(session: Session, limit: int, moment: datetime, *, suspects: bool) -> Sequence[Row[Any]]:
    """Lock the endpoints at which something is due, those first that were served longest ago."""
    failed = WebhookHealth.failures > 0
    chosen = (
        select(WebhookHealth.webhook_id, WebhookHealth.failures, Webhook.concurrency)
        .join(Webhook, Webhook.id == WebhookHealth.webhook_id)
        .where(WebhookHealth.due_at <= moment, failed if suspects else ~failed, Webhook.state.in_(LISTENING))
        .order_by(WebhookHealth.served_at.asc().nulls_first(), WebhookHealth.webhook_id)
        .limit(limit)
        .with_for_update(of=WebhookHealth, skip_locked=True)
        .cte("chosen")
    )
    is_busy = and_(
        Delivery.webhook_id == chosen.c.webhook_id, Delivery.status == DELIVERING, Delivery.next_attempt_at > moment
    )
    busy = select(func.count(), func.min(Delivery.begun_at)).where(is_busy).correlate(chosen)
    count, oldest = (busy.with_only_columns(column).scalar_subquery() for column in busy.selected_columns)
    return session.execute(select(chosen, count.label("busy"), oldest.label("oldest"))).all()


def _room_of(row: Row[Any], moment: datetime) -> int:
    is_slow = row.oldest is not None and row.oldest < moment - SLOW
    return int((1 if row.failures or is_slow else row.concurrency) - row.busy)


_FIND_DUE = text(
    """
    SELECT due.id FROM unnest(CAST(:ids AS uuid[]), CAST(:rooms AS int[])) AS chosen (webhook_id, room)
    CROSS JOIN LATERAL (
        SELECT id, next_attempt_at FROM outgoing_deliveries
        WHERE webhook_id = chosen.webhook_id AND next_attempt_at <= :moment
        ORDER BY next_attempt_at LIMIT chosen.room
    ) AS due
    ORDER BY due.next_attempt_at LIMIT :most
    """
)


def _find_due(session: Session, rooms: Mapping[UUID, int], limit: int, moment: datetime) -> list[UUID]:
    given = {"ids": list(rooms), "rooms": list(rooms.values()), "moment": moment, "most": limit}
    return list(session.scalars(_FIND_DUE, given))


def _begin(session: Session, vault: Vault, ids: Sequence[UUID], moment: datetime, lease: float) -> list[Order]:
    """Write the attempts of deliveries; those of before whose lease ended count as lost."""
    is_open = _ATTEMPTS.c.delivery_id.in_(ids) & _ATTEMPTS.c.outcome.is_(None)
    session.execute(update(_ATTEMPTS).where(is_open).values(outcome=LOST, error=LOST_ERROR))
    begun = (
        update(_DELIVERIES)
        .where(_DELIVERIES.c.id.in_(ids))
        .values(
            status=DELIVERING,
            attempt=_DELIVERIES.c.attempt + 1,
            begun_at=moment,
            finished_at=None,
            next_attempt_at=moment + timedelta(seconds=lease),
        )
        .returning(*(_DELIVERIES.c[name] for name in ("id", "attempt", "webhook_id", "event_id", "kind", "body")))
    )
    rows = session.execute(begun).all()
    columns = [Webhook.id, *(getattr(Webhook, name) for name in _OF_ENDPOINT)]
    mine = select(*columns).where(Webhook.id.in_({row.webhook_id for row in rows}))
    opened = {row.id: _open(vault, row, moment) for row in session.execute(mine)}
    orders = [_order(row, *opened[row.webhook_id]) for row in rows]
    written = [
        {"delivery_id": one.delivery_id, "number": one.attempt, "webhook_id": one.webhook_id, "url": one.url}
        for one in orders
    ]
    session.execute(insert(_ATTEMPTS), written)
    return orders


def _order(row: Row[Any], url: str, keys: tuple[bytes, ...], headers: Mapping[str, str]) -> Order:
    body = row.body.encode()
    return Order(row.id, row.attempt, row.webhook_id, row.event_id, row.kind == TEST, url, body, keys, headers)


def _open(vault: Vault, row: Row[Any], moment: datetime) -> tuple[str, tuple[bytes, ...], Mapping[str, str]]:
    is_rotating = row.previous_secret and row.previous_until and row.previous_until > moment
    stored = [row.secret, *([row.previous_secret] if is_rotating else [])]
    keys = tuple(read_secret(vault.decrypt(one, vault_context(row.id)).decode()) for one in stored)
    sealed = row.custom_headers
    headers = orjson.loads(vault.decrypt(sealed, vault_context(row.id, "headers"))) if sealed else {}
    return row.url, keys, headers


def _say_when(
    session: Session, ids: Sequence[UUID], rooms: Mapping[UUID, int], taken: Mapping[UUID, int], moment: datetime
) -> None:
    """Say when each endpoint is to be looked at next. One that has no more room is, once an attempt has ended: who
    records that says so; if nobody does, when the first lease ends."""
    full = [webhook_id for webhook_id in ids if rooms.get(webhook_id, 0) <= taken.get(webhook_id, 0)]
    first = select(func.min(Delivery.next_attempt_at)).where(
        Delivery.webhook_id == WebhookHealth.webhook_id, Delivery.next_attempt_at.is_not(None)
    )
    leases = first.where(Delivery.status == DELIVERING)
    for some, due in ((full, leases), ([one for one in ids if one not in full], first)):
        session.execute(
            update(WebhookHealth)
            .where(WebhookHealth.webhook_id.in_(some))
            .values(due_at=due.correlate(WebhookHealth).scalar_subquery(), served_at=moment)
            .execution_options(synchronize_session=False)
        )
