"""Attempts to reach a recipient: written before they are made, their outcome after. What no provider takes now is put
off, what may have been taken is looked for before it is sent again.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.notifications.choosing import order_providers
from app.notifications.models import (
    FAILED,
    NOT_TAKEN,
    PENDING,
    RETRYING,
    SENDING,
    SENT,
    TAKEN,
    UNKNOWN,
    WAITING,
    Notification,
    Recipient,
    SendAttempt,
)
from app.notifications.outcomes import settle
from app.notifications.providers import choices_of, name_of, note_outcome, owner_of, take_slot

PAUSES: Final = (30.0, 120.0, 300.0)
NONE_LEFT: Final = (
    "PROVIDER_UNAVAILABLE",
    "Each email provider is left alone for a while: they failed again and again.",
)


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt that was begun: its number, by which provider, and after how many seconds that one's rate lets it
    go."""

    number: int
    provider_id: UUID
    provider: str
    pause: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `code` says why it was not taken; `is_refused` that no other provider and no other time
    would help, `is_unknown` that it may have been taken all the same."""

    recipient_id: UUID
    turn: Try
    milliseconds: float
    response: str = ""
    message_id: str | None = None
    code: str | None = None
    is_refused: bool = False
    is_unknown: bool = False
    is_provider_well: bool = True

    @property
    def is_over(self) -> bool:
        """Whether no other provider is to be tried now."""
        return self.code is None or self.is_refused or self.is_unknown


def begin_attempt(
    session: Session, notification: Notification, recipient_id: UUID, known: Collection[UUID], tried: Collection[UUID]
) -> Try | None:
    """Write an attempt by one of the `known` providers that was not `tried` yet. None where there is no such: then the
    recipient is put off, or given up. None also where the provider has told meanwhile that it has the mail."""
    recipient = session.get_one(Recipient, recipient_id, with_for_update=True)
    if recipient.status not in WAITING:
        return None
    moment = session.execute(select(database_now())).scalar_one()
    choices = choices_of(session, owner_of(notification))
    order = order_providers(choices, moment, is_bulk=notification.recipient_count > 1)
    provider_id = next((one for one in order if one in known and one not in tried), None)
    if provider_id is None:
        put_off(session, recipient, notification.max_retry_attempts)
        return None
    recipient.move(SENDING, recipient.code, recipient.reason)
    recipient.attempt += 1
    provider = name_of(session, provider_id)
    session.add(SendAttempt(recipient_id=recipient_id, number=recipient.attempt, provider=provider))
    turn = Try(recipient.attempt, provider_id, provider, take_slot(session, provider_id))
    session.flush()
    return turn


def end_attempt(session: Session, outcome: Outcome, most_retries: int) -> None:
    """Write what came of an attempt. A recipient is locked before a provider, everywhere."""
    recipient = session.get_one(Recipient, outcome.recipient_id, with_for_update=True)
    moment = session.execute(select(database_now())).scalar_one()
    attempt = session.get_one(SendAttempt, (outcome.recipient_id, outcome.turn.number))
    attempt.milliseconds, attempt.response = round(outcome.milliseconds, 1), outcome.response
    attempt.code = outcome.code
    attempt.outcome = TAKEN if outcome.code is None else UNKNOWN if outcome.is_unknown else NOT_TAKEN
    note_outcome(session, outcome.turn.provider_id, moment, is_well=outcome.is_provider_well)
    if outcome.code is None:
        _note_sent(session, recipient, outcome.turn.provider, outcome.message_id)
        return
    recipient.move(FAILED if outcome.is_refused else PENDING, outcome.code, outcome.response)
    if outcome.is_unknown:
        put_off(session, recipient, most_retries)
    session.flush()


def put_off(session: Session, recipient: Recipient, most_retries: int) -> None:
    """Let a recipient wait for another time, or give up; the reason that is known of the last attempt stays."""
    code, reason = (recipient.code, recipient.reason) if recipient.code else NONE_LEFT
    if recipient.tries >= most_retries:
        recipient.move(FAILED, code, reason)
    else:
        pause = PAUSES[min(recipient.tries, len(PAUSES) - 1)]
        recipient.tries += 1
        recipient.move(RETRYING, code, reason)
        recipient.next_attempt_at = database_now() + timedelta(seconds=pause)
    session.flush()


def unknown_attempt(session: Session, recipient_id: UUID) -> str | None:
    """Return the provider that may have taken the mail at the last attempt, if that is so."""
    mine = select(SendAttempt).where(SendAttempt.recipient_id == recipient_id)
    last = session.scalars(mine.order_by(SendAttempt.number.desc()).limit(1)).first()
    return last.provider if last is not None and last.outcome == UNKNOWN else None


def note_found(session: Session, recipient_id: UUID, response: str, message_id: str | None) -> None:
    """Write that the mail of the last attempt turned out to have been taken."""
    recipient = session.get_one(Recipient, recipient_id, with_for_update=True)
    attempt = session.get_one(SendAttempt, (recipient_id, recipient.attempt))
    attempt.outcome, attempt.code, attempt.response = TAKEN, None, response
    _note_sent(session, recipient, attempt.provider, message_id)


def put_off_unknown(session: Session, recipient_id: UUID, most_retries: int) -> None:
    """Let a recipient wait whose provider does not say now whether it has taken the mail."""
    put_off(session, session.get_one(Recipient, recipient_id, with_for_update=True), most_retries)


def _note_sent(session: Session, recipient: Recipient, provider: str, message_id: str | None) -> None:
    recipient.move(SENT)
    recipient.provider, recipient.provider_message_id = provider, message_id
    recipient.sent_at = database_now()
    settle(session, recipient)
    session.flush()
