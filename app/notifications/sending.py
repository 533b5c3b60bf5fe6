"""What a worker does with the rows of a notification: begin it, find whose turn it is, and sum up in the end. The job
that sends a notification is its fence: only one attempt of it writes here.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    SENDING,
    SENT,
    STARTABLE,
    SUPPRESSED,
    UNKNOWN,
    WAITING,
    Notification,
    Recipient,
    SendAttempt,
    Suppression,
)
from app.notifications.providers import is_of, owner_of

SUPPRESSED_REASON: Final = "This address is suppressed: {reason}."


def lock_notification(session: Session, notification_id: UUID) -> Notification:
    """Return a notification, locked. Raises NotificationGone."""
    notification = session.get(Notification, notification_id, with_for_update=True)
    if notification is None:
        raise NotificationGone
    return notification


def begin(session: Session, notification_id: UUID) -> Notification:
    """Begin, or go on with, a notification. What an earlier worker left open is said to be unknown."""
    notification = lock_notification(session, notification_id)
    notification.begin()
    give_up_lost(session, notification_id)
    session.flush()
    return notification


def give_up_lost(session: Session, notification_id: UUID) -> None:
    """Say of attempts whose worker was lost that what came of them is unknown; their recipients wait again."""
    sending = (Recipient.notification_id == notification_id, Recipient.status == SENDING)
    left = SendAttempt.recipient_id.in_(select(Recipient.id).where(*sending)) & SendAttempt.outcome.is_(None)
    options = {"synchronize_session": False}
    session.execute(update(SendAttempt).where(left).values(outcome=UNKNOWN).execution_options(**options))
    session.execute(update(Recipient).where(*sending).values(status=PENDING).execution_options(**options))


def next_recipients(session: Session, notification: Notification, limit: int) -> list[Recipient]:
    """Return some whose turn it is and for whom nobody sends; those who are suppressed are said to be, and passed
    over."""
    due = or_(Recipient.next_attempt_at.is_(None), Recipient.next_attempt_at <= database_now())
    mine = select(Recipient).where(Recipient.notification_id == notification.id, Recipient.status.in_(STARTABLE), due)
    while rows := list(session.scalars(mine.order_by(Recipient.id).limit(limit))):
        reasons = find_suppressed(session, notification, [row.mail_address for row in rows])
        for row in rows:
            if reason := reasons.get(fold(row.mail_address)):
                row.move(SUPPRESSED, SUPPRESSED.upper(), SUPPRESSED_REASON.format(reason=reason))
        session.flush()
        if reachable := [row for row in rows if row.status != SUPPRESSED]:
            return reachable
    return []


def find_suppressed(session: Session, notification: Notification, addresses: Sequence[str]) -> dict[str, str]:
    """Return which of some addresses get nothing from the owner of a notification, folded, and why."""
    whose = is_of(Suppression, owner_of(notification))
    asked = Suppression.address.in_([fold(address) for address in addresses])
    rows = select(Suppression.address, Suppression.reason).where(whose, asked)
    return {row.address: row.reason for row in session.execute(rows)}


def copies_of(session: Session, notification: Notification) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return who gets copies, openly and blindly: those who are not suppressed."""
    gone = find_suppressed(session, notification, [*notification.cc, *notification.bcc])
    cc, bcc = (tuple(one for one in some if fold(one) not in gone) for some in (notification.cc, notification.bcc))
    return cc, bcc


def seconds_to_next(session: Session, notification_id: UUID) -> float | None:
    """Return after how many seconds somebody's turn comes; None when all have ended."""
    mine = (Recipient.notification_id == notification_id) & Recipient.status.in_(WAITING)
    first = func.min(func.coalesce(Recipient.next_attempt_at, database_now()))
    seconds = session.scalar(select(func.extract("epoch", first - database_now())).where(mine))
    return None if seconds is None else max(float(seconds), 0.0)


def count_ended(session: Session, notification_id: UUID) -> int:
    """Return how many recipients need nothing more."""
    ended = (Recipient.notification_id == notification_id) & Recipient.status.not_in(WAITING)
    return session.scalar(select(func.count()).where(ended)) or 0


def finish(session: Session, notification: Notification) -> dict[str, int]:
    """Sum up a notification all of whose recipients have ended, and announce it; returns how many there are of each
    status."""
    of_it = select(Recipient.status, func.count()).where(Recipient.notification_id == notification.id)
    counts = Counter({row[0]: row[1] for row in session.execute(of_it.group_by(Recipient.status))})
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
