"""Notifications as Prometheus reads them: whether they are sent in time."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.notifications.models import WAITING, Notification, Recipient


def read_metrics(session: Session) -> Iterator[Metric]:
    """Return all metrics of notifications."""
    due = func.greatest(Recipient.next_attempt_at, Notification.scheduled_for, Notification.created_at)
    waiting = select(func.count(), func.extract("epoch", database_now() - func.min(due))).join(
        Notification, Notification.id == Recipient.notification_id
    )
    count, seconds = session.execute(waiting.where(Recipient.status.in_(WAITING), due <= database_now())).one()
    yield GaugeMetricFamily("headrace_notification_recipients_due", "Recipients whose turn it is", value=count)
    yield GaugeMetricFamily(
        "headrace_notifications_late_seconds",
        "For how long it is the turn of the recipient who waits longest",
        value=float(seconds or 0.0),
    )
