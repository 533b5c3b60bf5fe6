"""What follows from attempts: whether and when a delivery is tried again, and how its endpoint fares.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session, defer

from app.kernel.db import table_of
from app.kernel.events import announce
from app.notifications import NotificationMessage, note_receipt
from app.webhooks.events import WebhookDisabled
from app.webhooks.lines import let_all_go, let_next_go, lock_health, look_again, moment_now
from app.webhooks.mails import tell_owner
from app.webhooks.models import (
    ACTIVE,
    DELIVERING,
    FAILED,
    LISTENING,
    SUCCEEDED,
    SUSPENDED,
    TEST,
    Attempt,
    Delivery,
    Webhook,
    WebhookHealth,
)
from app.webhooks.rules import SUSPENDED_AFTER, Patience, probe_pause

GONE: Final = 410
GONE_REASON: Final = "The receiver answered 410: it is gone."
SILENT_REASON: Final = "The receiver has taken nothing since {since:%Y-%m-%d %H:%M} UTC."
SUSPENDED_REASON: Final = "The last {failures} attempts failed; one delivery at a time is tried until one succeeds."

_ATTEMPTS = table_of(Attempt)
_WRITE = update(_ATTEMPTS).where(
    _ATTEMPTS.c.delivery_id == bindparam("its_delivery"), _ATTEMPTS.c.number == bindparam("its_number")
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: the receiver's answer, or `code` and `error` of why there is none. `body` is what there
    is of the answer's first 16 KiB."""

    delivery_id: UUID
    attempt: int
    webhook_id: UUID
    milliseconds: float
    status: int | None = None
    code: str | None = None
    error: str | None = None
    retry_after: float | None = None
    request_headers: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    is_truncated: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300

    def as_row(self) -> dict[str, Any]:
        """Return what the log keeps of it."""
        return {
            "its_delivery": self.delivery_id,
            "its_number": self.attempt,
            "outcome": SUCCEEDED if self.is_success else FAILED,
            "status_code": self.status,
            "code": self.code,
            "error": self.error,
            "milliseconds": round(self.milliseconds, 1),
            "request_headers": dict(self.request_headers),
            "response_headers": dict(self.headers),
            "response_body": self.body,
            "is_truncated": self.is_truncated,
        }


def record(session: Session, answers: Sequence[Answer], patience: Patience) -> list[UUID]:
    """Write what came of attempts; returns the deliveries that have moved by that. An attempt that has lost its lease
    is written to the log, and moves nothing."""
    if not answers:
        return []
    session.execute(_WRITE, [answer.as_row() for answer in answers])
    ids = sorted({answer.webhook_id for answer in answers})
    mine = select(Webhook).where(Webhook.id.in_(ids)).order_by(Webhook.id).with_for_update(key_share=True)
    mine = mine.execution_options(populate_existing=True)
    endpoints = {one.id: one for one in session.scalars(mine)}
    health = lock_health(session, list(endpoints))
    moment = moment_now(session)
    moved = [
        _Ended(answer, delivery, endpoints[delivery.webhook_id], health[delivery.webhook_id])
        for answer, delivery in _find_current(session, answers)
    ]
    for one in moved:
        _move(session, one, moment, patience)
    session.flush()
    freed = {(one.delivery.webhook_id, str(one.delivery.subject)) for one in moved if one.frees_its_line}
    let_next_go(session, sorted(freed), moment)
    look_again(session, {one.id: _pace(one, health[one.id]) for one in endpoints.values()}, moment)
    return [one.delivery.id for one in moved]


@dataclass(frozen=True, slots=True)
class _Ended:
    answer: Answer
    delivery: Delivery
    webhook: Webhook
    health: WebhookHealth

    @property
    def frees_its_line(self) -> bool:
        """Whether the next event of its subject may go."""
        return self.delivery.sequence is not None and self.delivery.finished_at is not None


def _find_current(session: Session, answers: Sequence[Answer]) -> list[tuple[Answer, Delivery]]:
    """Lock the deliveries, and leave out those that are not this attempt's any more."""
    ids = [answer.delivery_id for answer in answers]
    mine = select(Delivery).where(Delivery.id.in_(ids)).order_by(Delivery.id).options(defer(Delivery.body))
    rows = session.scalars(mine.with_for_update(), execution_options={"populate_existing": True})
    current = {(row.id, row.attempt): row for row in rows if row.status == DELIVERING}
    found = ((answer, current.get((answer.delivery_id, answer.attempt))) for answer in answers)
    return [(answer, delivery) for answer, delivery in found if delivery is not None]


def _move(session: Session, one: _Ended, moment: datetime, patience: Patience) -> None:
    answer, delivery = one.answer, one.delivery
    delivery.last_status, delivery.last_code, delivery.last_error = answer.status, answer.code, answer.error
    if delivery.kind == TEST:
        (delivery.succeed if answer.is_success else delivery.fail)(moment)
        return
    one.health.last_delivery_at, one.health.last_status, one.health.last_error = moment, answer.status, answer.error
    if answer.is_success:
        _succeed(session, one, moment)
    else:
        _fail(session, one, moment, patience)
    if delivery.event_type == NotificationMessage.type and delivery.finished_at is not None:
        note_receipt(session, delivery.event_id, moment, None if answer.is_success else _fault_of(answer))


def _fault_of(answer: Answer) -> str:
    return answer.error or f"The receiver answered {answer.status}."


def _succeed(session: Session, one: _Ended, moment: datetime) -> None:
    one.delivery.succeed(moment)
    had_failed, one.health.failures, one.health.failing_since = one.health.failures, 0, None
    one.health.last_success_at = moment
    if one.webhook.state == SUSPENDED:
        one.webhook.activate()
    if had_failed:
        session.flush()
        let_all_go(session, one.webhook.id, moment)


def _fail(session: Session, one: _Ended, moment: datetime, patience: Patience) -> None:
    delivery, health = one.delivery, one.health
    delivery.tries += 1
    pause = patience.pause_after(delivery.tries, one.answer.retry_after, endless=delivery.is_endless)
    if pause is None:
        delivery.fail(moment)
    else:
        delivery.retry_at(moment + timedelta(seconds=pause))
    health.failures += 1
    health.failing_since = health.failing_since or moment
    if one.webhook.state in LISTENING:
        _judge(session, one, moment, patience)


def _judge(session: Session, one: _Ended, moment: datetime, patience: Patience) -> None:
    webhook, health = one.webhook, one.health
    since = health.failing_since or moment
    if one.answer.status == GONE:
        _disable(session, webhook, GONE_REASON)
    elif moment - since >= timedelta(seconds=patience.disable_after):
        _disable(session, webhook, SILENT_REASON.format(since=since))
    elif health.failures >= SUSPENDED_AFTER and webhook.state == ACTIVE:
        webhook.suspend(SUSPENDED_REASON.format(failures=health.failures))


def _disable(session: Session, webhook: Webhook, reason: str) -> None:
    webhook.disable(reason)
    announce(session, WebhookDisabled(webhook.organization_id, webhook.client_id, webhook.id, reason))
    tell_owner(session, webhook, reason)


def _pace(webhook: Webhook, health: WebhookHealth) -> float:
    return probe_pause(health.failures) if webhook.state == SUSPENDED else 0.0
