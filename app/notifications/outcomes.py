"""What becomes of recipients after a notification was handed over for them. The session comes first; nothing here
commits."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.events import announce
from app.notifications.events import NotificationBounced, NotificationDelivered
from app.notifications.models import BOUNCED, DELIVERED, Notification, Recipient

LONGEST_REASON = 500


def note_receipt(session: Session, recipient_id: UUID, moment: datetime, fault: str | None) -> None:
    """Write that a webhook's receiver has taken a notification, or why nobody tries any more. What was given up and
    tried again by hand may still arrive."""
    recipient = session.get(Recipient, recipient_id, with_for_update=True)
    if recipient is None:
        return
    if fault is None:
        recipient.delivered_at, recipient.bounced_at, recipient.bounce_reason = moment, None, None
    else:
        recipient.bounced_at, recipient.bounce_reason = moment, fault[:LONGEST_REASON]
    settle(session, recipient)


def settle(session: Session, recipient: Recipient) -> None:
    """Let a recipient, whose row is locked, become what is said of it, and announce that."""
    if not recipient.settle():
        return
    notification = session.get_one(Notification, recipient.notification_id)
    whose = (notification.organization_id, notification.client_id, notification.id, recipient.id)
    if recipient.status == DELIVERED:
        announce(session, NotificationDelivered(*whose, recipient.address, recipient.provider))
    if recipient.status == BOUNCED:
        announce(session, NotificationBounced(*whose, recipient.address, recipient.provider, recipient.reason))
    session.flush()
