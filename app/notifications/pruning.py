"""What is kept of notifications, and for how long. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_days
from app.notifications.counting import fold_totals
from app.notifications.models import Callback, Notification

# A notification goes with its recipients, of which it may have ten thousand.
AT_ONCE: Final = 10
# Longer than a provider goes on sending a request, and than it could be used again.
CALLBACK_DAYS: Final = 7


def forget_old_notifications(session: Session, days: int, limit: int = AT_ONCE) -> int:
    """Delete some of the notifications that ended more than `days` ago, with all that is known of them but their
    numbers, and return how many; 0 days keeps all."""
    if days <= 0:
        return 0
    old = select(Notification.id).where(Notification.finished_at < database_now() - sql_days(days))
    ids = list(session.scalars(old.limit(limit).with_for_update()))
    fold_totals(session, ids)
    session.execute(delete(Notification).where(Notification.id.in_(ids)))
    return len(ids)


def forget_old_callbacks(session: Session, limit: int = 1000) -> int:
    """Delete some of the requests of providers whose time is over, and return how many."""
    old = select(Callback.id).where(Callback.received_at < database_now() - sql_days(CALLBACK_DAYS)).limit(limit)
    gone = delete(Callback).where(Callback.id.in_(old.scalar_subquery())).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
