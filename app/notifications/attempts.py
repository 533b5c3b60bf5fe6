"""Attempts to reach recipients: written before they are made, their outcome after. What no provider takes now is put
off, what may have been taken is looked for before it is sent again.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.notifications.choosing import Choice, order_providers
from app.notifications.models import (
    FAILED,
    NOT_TAKEN,
    PENDING,
    RETRYING,
    SENDING,
    SENT,
    STARTABLE,
    TAKEN,
    UNKNOWN,
    Notification,
    Recipient,
    SendAttempt,
)
from app.notifications.outcomes import settle
from app.notifications.providers import choices_of, note_outcomes, owner_of, take_slots

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
    pause: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `code` says why it was not taken; `is_refused` that no other provider and no other time
    would help, `is_unknown` that it may have been taken all the same. `is_provider_well` is None where it says nothing
    of the provider."""

    recipient_id: UUID
    turn: Try
    milliseconds: float
    response: str = ""
    message_id: str | None = None
    code: str | None = None
    is_refused: bool = False
    is_unknown: bool = False
    is_provider_well: bool | None = True

    @property
    def is_over(self) -> bool:
        """Whether no other provider is to be tried now."""
        return self.code is None or self.is_refused or self.is_unknown


def exchange_attempts(
    session: Session,
    notification: Notification,
    outcomes: Sequence[Outcome],
    wanted: Mapping[UUID, Collection[UUID]],
    known: Collection[UUID],
) -> dict[UUID, Try]:
    """Write what came of some attempts, and begin others: for each recipient who is `wanted`, by one of the `known`
    providers that is not among those that were tried for them. Returns what was begun, by recipient. Who is not there
    was put off or given up, or has got the mail meanwhile. An outcome that is written already changes nothing.

    Recipients are locked before providers, everywhere, and in the order of their ids.
    """
    held = _hold(session, {*wanted, *(one.recipient_id for one in outcomes)})
    if not held:
        return {}
    choices = {one.id: one for one in choices_of(session, owner_of(notification))}
    _end(session, notification, held, outcomes, choices)
    starting = [one for one in held.values() if one.recipient.id in wanted and one.recipient.status in STARTABLE]
    return _begin(session, notification, starting, wanted, {one: choices[one] for one in choices.keys() & set(known)})


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


def unknown_attempts(session: Session, recipient_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return which of some recipients may have got the mail at the last attempt, and from which provider."""
    last = (SendAttempt.recipient_id == Recipient.id) & (SendAttempt.number == Recipient.attempt)
    rows = select(SendAttempt.recipient_id, SendAttempt.provider).join(Recipient, last)
    return dict(session.execute(rows.where(Recipient.id.in_(recipient_ids), SendAttempt.outcome == UNKNOWN)).all())


def note_found(session: Session, recipient_id: UUID, response: str, message_id: str | None) -> None:
    """Write that the mail of the last attempt turned out to have been taken."""
    recipient = session.get_one(Recipient, recipient_id, with_for_update=True)
    attempt = session.get_one(SendAttempt, (recipient_id, recipient.attempt))
    attempt.outcome, attempt.code, attempt.response = TAKEN, None, response
    moment = session.execute(select(database_now())).scalar_one()
    _note_sent(session, recipient, attempt.provider, message_id, moment)
    session.flush()


def put_off_unknown(session: Session, recipient_id: UUID, most_retries: int) -> None:
    """Let a recipient wait whose provider does not say now whether it has taken the mail."""
    put_off(session, session.get_one(Recipient, recipient_id, with_for_update=True), most_retries)


class _Held(NamedTuple):
    """A recipient whose row is locked, with the attempt that is made now if one is, and the moment."""

    recipient: Recipient
    attempt: SendAttempt | None
    moment: datetime


def _hold(session: Session, ids: Collection[UUID]) -> dict[UUID, _Held]:
    made_now = (SendAttempt.recipient_id == Recipient.id) & SendAttempt.outcome.is_(None)
    rows = select(Recipient, SendAttempt, database_now()).outerjoin(SendAttempt, made_now)
    locked = rows.where(Recipient.id.in_(ids)).order_by(Recipient.id).with_for_update(of=Recipient)
    return {row[0].id: _Held(*row) for row in session.execute(locked)}


def _end(
    session: Session,
    notification: Notification,
    held: Mapping[UUID, _Held],
    outcomes: Sequence[Outcome],
    choices: Mapping[UUID, Choice],
) -> None:
    said: list[tuple[UUID, bool]] = []
    for outcome in outcomes:
        recipient, attempt, moment = held.get(outcome.recipient_id, (None, None, None))
        if recipient is None or attempt is None or moment is None or attempt.number != outcome.turn.number:
            continue
        attempt.milliseconds, attempt.response = round(outcome.milliseconds, 1), outcome.response
        attempt.code = outcome.code
        attempt.outcome = TAKEN if outcome.code is None else UNKNOWN if outcome.is_unknown else NOT_TAKEN
        if outcome.is_provider_well is not None:
            said.append((outcome.turn.provider_id, outcome.is_provider_well))
        if outcome.code is None:
            _note_sent(session, recipient, attempt.provider, outcome.message_id, moment)
            continue
        recipient.move(FAILED if outcome.is_refused else PENDING, outcome.code, outcome.response)
        if outcome.is_unknown:
            put_off(session, recipient, notification.max_retry_attempts)
    failing = {one.id for one in choices.values() if one.failures}
    if any(not is_well or provider_id in failing for provider_id, is_well in said):
        note_outcomes(session, said)


def _begin(
    session: Session,
    notification: Notification,
    starting: Sequence[_Held],
    tried: Mapping[UUID, Collection[UUID]],
    choices: Mapping[UUID, Choice],
) -> dict[UUID, Try]:
    chosen: dict[UUID, list[Recipient]] = {}
    for recipient, _, moment in starting:
        left = [one for one in choices.values() if one.id not in tried[recipient.id]]
        order = order_providers(left, moment, is_bulk=notification.recipient_count > 1)
        if not order:
            put_off(session, recipient, notification.max_retry_attempts)
            continue
        recipient.move(SENDING, recipient.code, recipient.reason)
        recipient.attempt += 1
        name = choices[order[0]].name
        session.add(SendAttempt(recipient_id=recipient.id, number=recipient.attempt, provider=name))
        chosen.setdefault(order[0], []).append(recipient)
    session.flush()
    return {
        recipient.id: Try(recipient.attempt, provider_id, pause)
        for provider_id, theirs in sorted(chosen.items())
        for recipient, pause in zip(theirs, take_slots(session, provider_id, len(theirs)), strict=True)
    }


def _note_sent(session: Session, recipient: Recipient, provider: str, message_id: str | None, moment: datetime) -> None:
    recipient.move(SENT)
    recipient.provider, recipient.provider_message_id, recipient.sent_at = provider, message_id, moment
    settle(session, recipient)
