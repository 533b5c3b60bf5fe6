"""Notifications within applications: each user hears them live on a topic of their own, and finds there what came
meanwhile. Who is not connected gets a mail instead, where that was asked for.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.identity import Membership, User
from app.kernel.clock import database_now, format_time
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.stream import publish
from app.messaging import ChatRoom, RoomMember
from app.notifications.models import (
    SENDING,
    SENT,
    TAKEN,
    WAITING,
    WEBSOCKET,
    Notification,
    Recipient,
    SendAttempt,
)
from app.notifications.providers import Owner

EVENT: Final = "notification"
HEARD: Final = "The user was connected."
KEPT: Final = "The user was not connected: it waits in the topic user:{id} of theirs."
OFFLINE: Final = "OFFLINE"
FALLBACK_SUBJECT: Final = "You have a notification"


def topic_of(user_id: UUID | None) -> str:
    """Return the topic that only this user hears."""
    return f"user:{user_id}"


def find_users(session: Session, owner: Owner, asked: Sequence[UUID]) -> dict[UUID, str]:
    """Return the mail addresses of an owner's users by their ids, in the order they were asked for. Raises Invalid,
    which names each that is none of them."""
    found = {row.id: row.email for row in session.execute(_users_of(owner).where(User.id.in_(set(asked))))}
    faults = [
        FieldError(f"recipients.{nth}", "Is no user of yours.") for nth, one in enumerate(asked) if one not in found
    ]
    if faults:
        raise Invalid(errors=faults[:100])
    return {one: found[one] for one in asked}


def find_members(session: Session, owner: Owner, room_id: UUID) -> list[UUID]:
    """Return who is in a chat room of an application. Raises NotFound."""
    room = session.get(ChatRoom, room_id)
    if room is None or room.client_id != owner.get("client_id"):
        raise NotFound(resource_type="room", resource_id=str(room_id))
    mine = select(RoomMember.user_id).where(RoomMember.room_id == room_id, RoomMember.left_at.is_(None))
    return list(session.scalars(mine.order_by(RoomMember.user_id)))


def next_to_tell(session: Session, notification: Notification, limit: int) -> list[Recipient]:
    """Return some who were not told yet."""
    return list(session.scalars(_untold(notification.id).order_by(Recipient.id).limit(limit)))


def tell(session: Session, notification_id: UUID, ids: Collection[UUID], heard: Collection[str]) -> None:
    """Tell users of a notification, in one transaction with what is written of it: nobody is told twice. `heard` are
    the topics that somebody listens to. Who does not may get a mail: they wait for it."""
    notification = session.get_one(Notification, notification_id)
    mine = _untold(notification_id).where(Recipient.id.in_(ids)).order_by(Recipient.id)
    recipients = list(session.scalars(mine.with_for_update().execution_options(populate_existing=True)))
    addresses = _addresses(session, notification, [row for row in recipients if topic_of(row.user_id) not in heard])
    moment = session.execute(select(database_now())).scalar_one()
    for row in recipients:
        publish(session, topic_of(row.user_id), EVENT, _shape(notification, row) | {"created_at": format_time(moment)})
        if row.id in addresses:
            row.email, row.is_fallback = addresses[row.id], True
        else:
            is_there = topic_of(row.user_id) in heard
            note_told(session, row, WEBSOCKET, HEARD if is_there else KEPT, None if is_there else OFFLINE)
    notification.fallback_used = notification.fallback_used or bool(addresses)
    session.flush()


def _untold(notification_id: UUID) -> Select[Recipient]:
    return select(Recipient).where(
        Recipient.notification_id == notification_id,
        Recipient.status.in_(WAITING),
        Recipient.email.is_(None),
        Recipient.user_id.is_not(None),
    )


def note_told(session: Session, row: Recipient, channel: str, response: str, code: str | None = None) -> None:
    """Write of a recipient who waits that they were told; `code` says in what way that is less than it could be."""
    row.move(SENDING)
    row.move(SENT, code, response if code else None)
    row.attempt += 1
    row.provider, row.sent_at = channel, database_now()
    said = {"outcome": TAKEN, "response": response, "milliseconds": 0.0}
    session.add(SendAttempt(recipient_id=row.id, number=row.attempt, provider=channel, **said))


def fallback_of(notification: Notification) -> dict[str, str | None]:
    """Return what the mail says that is sent instead: subject, HTML and text."""
    asked = notification.email_fallback or {}
    said = asked.get("content")
    return {
        "subject": asked.get("subject") or notification.subject or FALLBACK_SUBJECT,
        "html": said or notification.html,
        "text": None if said else notification.text,
    }


def _addresses(session: Session, notification: Notification, absent: Sequence[Recipient]) -> dict[UUID, str]:
    """Return where mails go instead, by the ids of recipients."""
    asked = notification.email_fallback
    if asked is None or not absent:
        return {}
    if asked.get("to_email"):
        # However many are away, one mail says so to one address.
        return {} if notification.fallback_used else {absent[0].id: str(asked["to_email"])}
    rows = session.execute(select(User.id, User.email).where(User.id.in_([row.user_id for row in absent])))
    emails = {row.id: row.email for row in rows}
    return {row.id: emails[row.user_id] for row in absent if row.user_id in emails}


def _users_of(owner: Owner) -> Any:
    if "client_id" in owner:
        return select(User.id, User.email).where(User.client_id == owner["client_id"])
    members = select(Membership.user_id).where(Membership.organization_id == owner["organization_id"])
    return select(User.id, User.email).where(User.id.in_(members))


def _shape(notification: Notification, recipient: Recipient) -> dict[str, Any]:
    return {
        "notification_id": str(notification.id),
        "recipient_id": str(recipient.id),
        "subject": notification.subject or None,
        "content": notification.html,
        "text": notification.text,
        "priority": notification.priority,
        "room_id": str(notification.room_id) if notification.room_id else None,
        "meta": notification.meta,
    }
