"""Notifications for webhooks: written as deliveries, which are signed, tried, logged and kept as those of events are.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.events import EventRecord
from app.notifications import NotificationMessage, Owner
from app.webhooks.catalogue import matches
from app.webhooks.fanout import deliver, listening, sweep_soon
from app.webhooks.lines import moment_now
from app.webhooks.models import LISTENING, Webhook


class NoticeCarrier:
    """Carries notifications to endpoints."""

    def find(self, session: Session, owner: Owner, asked: Collection[UUID]) -> list[UUID]:
        """Return those of the endpoints that are an owner's and on; where none is asked for, all that are told of this
        type of event."""
        theirs = (getattr(Webhook, name) == value for name, value in owner.items())
        mine = select(Webhook.id, Webhook.events).where(*theirs, Webhook.state.in_(LISTENING)).order_by(Webhook.id)
        if asked:
            return [row.id for row in session.execute(mine.where(Webhook.id.in_(set(asked))))]
        return [row.id for row in session.execute(mine) if matches(row.events, NotificationMessage.type)]

    def hand_over(self, session: Session, messages: Mapping[UUID, NotificationMessage]) -> set[UUID]:
        """Write a delivery to each endpoint that is there and on; returns which these are."""
        here = session.execute(listening().where(Webhook.id.in_(messages), Webhook.state.in_(LISTENING))).all()
        if here:
            moment = moment_now(session)
            deliver(session, [(one, [_record(messages[one.id], moment)]) for one in here])
            sweep_soon(session)
        return {one.id for one in here}


def _record(message: NotificationMessage, moment: datetime) -> EventRecord:
    """Return what is delivered, in the form of an event of the log, in which it is not: it has its readers. By the
    recipient's id it is delivered once."""
    data = message.to_json()
    return EventRecord(
        id=message.recipient_id, type=message.type, data=data, subject=message.subject(), created_at=moment
    )
