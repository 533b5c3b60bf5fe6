"""Mails to the owners of accounts: asked for in the transaction of their reason, written and sent by a job.

Who writes which kind of mail is registered here; higher rooms add theirs. Nothing secret is in a job or in a mail's
row: a token is made as its letter is written, and exists in clear in that letter alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.identity.intents import SendMail
from app.identity.letters import Letter
from app.identity.models import AccountMail
from app.jobs import accept
from app.kernel.clock import database_now
from app.kernel.crypto import Vault

MOST_AN_HOUR: Final = 10
"""Mails of one kind that an address gets in an hour, whoever asks for them and from wherever."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What letters are written with: the platform's public address, for links, and the vault, for tokens that are
    derived from a row."""

    public_url: str
    vault: Vault


WriteLetter = Callable[[Session, AccountMail, Desk], Letter | None]

_writers: dict[str, WriteLetter] = {}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter and where it goes; `id` is the same at each try."""

    id: UUID
    address: str
    letter: Letter


def writes_mail(kind: str) -> Callable[[WriteLetter], WriteLetter]:
    """Register who writes mails of a kind, at import. They get the mail's row, in a transaction of their own, and
    return None when there is no reason for the mail any more."""

    def register(write: WriteLetter) -> WriteLetter:
        _writers[kind] = write
        return write

    return register


def ask_for_mail(session: Session, kind: str, address: str, user_id: UUID | None = None, **details: Any) -> UUID:
    """Let somebody get a mail of a kind, once this transaction commits; returns its id. `details` hold no secret."""
    mail = AccountMail(kind=kind, address=address, user_id=user_id, details=details)
    session.add(mail)
    session.flush()
    accept(session, SendMail(mail.id), resource=("mail", mail.id))
    return mail.id


def write_mail(session: Session, mail_id: UUID, desk: Desk) -> Envelope | None:
    """Return what is to be sent; None for what was sent, has lost its reason, or would be one mail too many."""
    mail = session.get(AccountMail, mail_id, with_for_update=True)
    if mail is None or mail.sent_at is not None or _is_too_many(session, mail):
        return None
    letter = _writers[mail.kind](session, mail, desk)
    return Envelope(mail.id, mail.address, letter) if letter else None


def note_sent(session: Session, mail_id: UUID) -> None:
    """Write down that a mail is on its way, so that it is not sent again."""
    session.get_one(AccountMail, mail_id).sent_at = database_now()
    session.flush()


def _is_too_many(session: Session, mail: AccountMail) -> bool:
    lately = select(func.count()).where(
        func.lower(AccountMail.address) == mail.address.lower(),
        AccountMail.kind == mail.kind,
        AccountMail.sent_at > database_now() - timedelta(hours=1),
    )
    return (session.scalar(lately) or 0) >= MOST_AN_HOUR
