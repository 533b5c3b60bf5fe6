"""What is kept of notifications, and for how long. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_days
from app.notifications.models import Callback, Notification

# A notification goes with its recipients, of which it may have ten thousand.
AT_ONCE: Final = 10
# Longer than a provider goes on sending a request, and than it could be used again.
CALLBACK_DAYS: Final = 7


def forget_old_notifications(session: Session, days: int, limit: int = AT_ONCE) -> int:
    """Delete some of the notifications that ended more than `days` ago, with all that is known of them, and return how
    many; 0 days keeps all."""
    if days <= 0:
        return 0
    old = select(Notification.id).where(Notification.finished_at < database_now() - sql_days(days)).limit(limit)
    return _delete(session, Notification, old)


def forget_old_callbacks(session: Session, limit: int = 1000) -> int:
    """Delete some of the requests of providers whose time is over, and return how many."""
    old = select(Callback.id).where(Callback.received_at < database_now() - sql_days(CALLBACK_DAYS)).limit(limit)
    return _delete(session, Callback, old)


def _delete(session: Session, model: Any, old: Any) -> int:
    gone = delete(model).where(model.id.in_(old.scalar_subquery())).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
