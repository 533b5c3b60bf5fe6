"""Channels that another room carries: whom they reach, and handing notifications over to it. A room above this one says
at import which channel it carries.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Invalid
from app.notifications.events import NotificationMessage
from app.notifications.in_app import note_told
from app.notifications.models import FAILED, SENDING, WAITING, Notification, Recipient
from app.notifications.providers import Owner

HANDED_OVER: Final = "It is tried until the receiver has taken it, as deliveries of webhooks are."
GONE: Final = ("WEBHOOK_UNAVAILABLE", "The webhook was deleted or turned off before the notification's turn.")
NOBODY: Final = "None of your webhooks is told of notification.message: name those that are meant."


class Carrier(Protocol):
    """Who carries a channel."""

    def find(self, session: Session, owner: Owner, asked: Collection[UUID]) -> list[UUID]:
        """Return those of the targets that are an owner's and can be reached; where none is asked for, all that want
        notifications."""

    def hand_over(self, session: Session, messages: Mapping[UUID, NotificationMessage]) -> set[UUID]:
        """Take what is for each target; return those for which that could be done."""


_carriers: dict[str, Carrier] = {}


def carry(channel: str, carrier: Carrier) -> None:
    """Register who carries a channel, at import."""
    _carriers[channel] = carrier


def is_carried(channel: str) -> bool:
    """Whether another room carries a channel."""
    return channel in _carriers


def find_targets(session: Session, channel: str, owner: Owner, asked: Sequence[UUID]) -> list[UUID]:
    """Return whom a notification by such a channel is to reach. Raises Invalid, which names each that is none."""
    found = _carriers[channel].find(session, owner, asked)
    known = set(found)
    faults = [
        FieldError(f"recipients.{nth}", "Is no webhook of yours, or is turned off.")
        for nth, one in enumerate(asked)
        if one not in known
    ]
    if faults or not found:
        raise Invalid(errors=faults[:100] or [FieldError("recipients", NOBODY)])
    return found


def carry_some(session: Session, notification_id: UUID, limit: int) -> int:
    """Hand over for some who wait, in one transaction with what is written of it: nothing is handed over twice. Returns
    how many there were."""
    notification = session.get_one(Notification, notification_id)
    mine = select(Recipient).where(Recipient.notification_id == notification_id, Recipient.status.in_(WAITING))
    rows = list(session.scalars(mine.order_by(Recipient.id).limit(limit).with_for_update()))
    messages = {UUID(row.address): _write(notification, row) for row in rows}
    taken = _carriers[notification.type].hand_over(session, messages) if messages else set()
    for row in rows:
        if UUID(row.address) in taken:
            note_told(session, row, notification.type, HANDED_OVER)
        else:
            row.move(SENDING)
            row.move(FAILED, *GONE)
    session.flush()
    return len(rows)


def _write(notification: Notification, recipient: Recipient) -> NotificationMessage:
    return NotificationMessage(
        notification.organization_id,
        notification.client_id,
        notification.id,
        recipient.id,
        notification.subject or None,
        notification.html,
        notification.text,
        notification.priority,
        notification.meta,
    )
