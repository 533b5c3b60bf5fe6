"""What a worker does with the rows of a notification: begin an attempt, write its outcome, and sum up in the end. The job
that sends a notification is its fence: only one attempt of it writes here.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.events import announce
from app.notifications.addresses import fold
from app.notifications.errors import NotificationGone
from app.notifications.events import NotificationFailed, NotificationSent
from app.notifications.models import (
    FAILED,
    PARTIAL,
    PENDING,
    REACHED,
    RETRYING,
    SENDING,
    SENT,
    SUPPRESSED,
    WAITING,
    Notification,
    Recipient,
    SendAttempt,
    Suppression,
)
from app.notifications.providers import is_of, note_outcome, owner_of

UNKNOWN: Final = "unknown"
TAKEN: Final = "success"
NOT_TAKEN: Final = "failed"
PAUSES: Final = (30.0, 120.0, 300.0)
SUPPRESSED_REASON: Final = "This address is suppressed: {reason}."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try by one provider. `is_over` says that no other provider and no other time would help."""

    recipient_id: UUID
    number: int
    provider_id: UUID
    provider: str
    milliseconds: float
    response: str = ""
    message_id: str | None = None
    code: str | None = None
    is_over: bool = False
    is_provider_well: bool = True

    @property
    def is_taken(self) -> bool:
        """Whether the provider has taken it."""
        return self.code is None


def begin(session: Session, notification_id: UUID) -> Notification:
    """Begin, or go on with, a notification. What an earlier worker left unknown is tried again, and said to be."""
    notification = session.get(Notification, notification_id, with_for_update=True)
    if notification is None:
        raise NotificationGone
    notification.begin()
    mine = select(Recipient.id).where(Recipient.notification_id == notification_id, Recipient.status == SENDING)
    left = SendAttempt.recipient_id.in_(mine) & SendAttempt.outcome.is_(None)
    options = {"synchronize_session": False}
    session.execute(update(SendAttempt).where(left).values(outcome=UNKNOWN).execution_options(**options))
    lost = update(Recipient).where(Recipient.notification_id == notification_id, Recipient.status == SENDING)
    session.execute(lost.values(status=PENDING).execution_options(**options))
    session.flush()
    return notification


def next_recipients(session: Session, notification: Notification, limit: int) -> list[Recipient]:
    """Return some whose turn it is; those who are suppressed are said to be, and passed over."""
    due = or_(Recipient.next_attempt_at.is_(None), Recipient.next_attempt_at <= database_now())
    mine = select(Recipient).where(Recipient.notification_id == notification.id, Recipient.status.in_(WAITING), due)
    rows = list(session.scalars(mine.order_by(Recipient.id).limit(limit)))
    reasons = _find_suppressed(session, notification, [fold(row.address) for row in rows])
    for row in rows:
        if reason := reasons.get(fold(row.address)):
            row.status, row.code = SUPPRESSED, SUPPRESSED.upper()
            row.reason = SUPPRESSED_REASON.format(reason=reason)
    session.flush()
    return [row for row in rows if row.status != SUPPRESSED]


def begin_attempt(session: Session, recipient_id: UUID, provider: str) -> int:
    """Write an attempt before it is made; returns its number."""
    recipient = session.get_one(Recipient, recipient_id, with_for_update=True)
    recipient.status, recipient.attempt = SENDING, recipient.attempt + 1
    session.add(SendAttempt(recipient_id=recipient_id, number=recipient.attempt, provider=provider))
    session.flush()
    return recipient.attempt


def end_attempt(session: Session, outcome: Outcome, most_retries: int, *, is_last: bool) -> None:
    """Write what came of an attempt; `is_last` says that no other provider is left to be tried now."""
    moment = session.execute(select(database_now())).scalar_one()
    attempt = session.get_one(SendAttempt, (outcome.recipient_id, outcome.number))
    attempt.milliseconds, attempt.response = round(outcome.milliseconds, 1), outcome.response
    attempt.outcome, attempt.code = TAKEN if outcome.is_taken else NOT_TAKEN, outcome.code
    note_outcome(session, outcome.provider_id, moment, is_well=outcome.is_provider_well)
    recipient = session.get_one(Recipient, outcome.recipient_id)
    if outcome.is_taken:
        recipient.status, recipient.sent_at, recipient.code, recipient.reason = SENT, moment, None, None
        recipient.provider, recipient.provider_message_id = outcome.provider, outcome.message_id
    else:
        recipient.code, recipient.reason = outcome.code, outcome.response
        _decide(recipient, moment, most_retries, is_over=outcome.is_over, is_last=is_last)
    session.flush()


def _decide(recipient: Recipient, moment: datetime, most_retries: int, *, is_over: bool, is_last: bool) -> None:
    if is_over:
        recipient.status = FAILED
    elif not is_last:
        recipient.status = PENDING
    elif recipient.tries >= most_retries:
        recipient.status = FAILED
    else:
        pause = PAUSES[min(recipient.tries, len(PAUSES) - 1)]
        recipient.tries += 1
        recipient.status, recipient.next_attempt_at = RETRYING, moment + timedelta(seconds=pause)


def seconds_to_next(session: Session, notification_id: UUID) -> float | None:
    """Return after how many seconds somebody's turn comes; None when all have ended."""
    mine = (Recipient.notification_id == notification_id) & Recipient.status.in_(WAITING)
    first = func.min(func.coalesce(Recipient.next_attempt_at, database_now()))
    seconds = session.scalar(select(func.extract("epoch", first - database_now())).where(mine))
    return None if seconds is None else max(float(seconds), 0.0)


def finish(session: Session, notification: Notification) -> dict[str, int]:
    """Sum up a notification all of whose recipients have ended; returns how many there are of each status."""
    of_it = select(Recipient.status, func.count()).where(Recipient.notification_id == notification.id)
    counts = Counter({status: count for status, count in session.execute(of_it.group_by(Recipient.status))})
    reached, everybody = sum(counts[status] for status in REACHED), counts.total()
    status = SENT if reached == everybody else PARTIAL if reached else FAILED
    notification.finish(status, session.execute(select(database_now())).scalar_one())
    whose = (notification.organization_id, notification.client_id, notification.id)
    if reached:
        announce(session, NotificationSent(*whose, status, everybody, reached))
    else:
        why = select(Recipient.code).where(Recipient.notification_id == notification.id).order_by(Recipient.id)
        announce(session, NotificationFailed(*whose, everybody, session.scalars(why.limit(1)).first()))
    session.flush()
    return dict(counts)


def _find_suppressed(session: Session, notification: Notification, addresses: list[str]) -> dict[str, str]:
    whose = is_of(Suppression, owner_of(notification))
    rows = select(Suppression.address, Suppression.reason).where(whose, Suppression.address.in_(addresses))
    return {row.address: row.reason for row in session.execute(rows)}
