"""What is kept of deliveries, and for how long. The session comes first; nothing here commits."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_days
from app.webhooks.models import Delivery


def forget_old_deliveries(session: Session, days: int, limit: int = 1000) -> int:
    """Delete some of the deliveries older than `days`, with their attempts, also those that wait: their events go as
    well. Returns how many."""
    old = select(Delivery.id).where(Delivery.created_at < database_now() - sql_days(days)).limit(limit)
    gone = delete(Delivery).where(Delivery.id.in_(old.scalar_subquery()))
    return int(session.execute(gone.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]
