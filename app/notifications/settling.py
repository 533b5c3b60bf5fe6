"""Requests of a topic of Amazon SNS that were kept until their certificate is here.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.crypto import Vault
from app.kernel.db import table_of
from app.notifications.callbacks import Unreadable, Unsigned, ses, sns
from app.notifications.models import Callback, EmailProvider, SigningCertificate
from app.notifications.providers import open_named_providers, owner_of
from app.notifications.reporting import apply


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A kept request: where its certificate is, and what confirms the subscription, if it asks for that."""

    callback_id: UUID
    envelope: sns.Envelope

    @property
    def certificate_url(self) -> str:
        """Where the certificate is."""
        return self.envelope.certificate_url

    @property
    def subscribe_url(self) -> str:
        """What is to be visited so that the topic sends more; empty for a request that tells of mails."""
        return self.envelope.subscribe_url if self.envelope.type == sns.CONFIRMATION else ""

    def is_signed(self, pem: str, now: float) -> bool:
        """Whether a certificate's holder has signed it; `now` is in seconds since 1970."""
        try:
            sns.verify(self.envelope, pem, now)
        except Unsigned:
            return False
        return True


def find_unchecked(session: Session, vault: Vault, callback_id: UUID) -> Unchecked | None:
    """Return a kept request; None where there is nothing left to be done."""
    callback = session.get(Callback, callback_id)
    if callback is None or callback.body is None:
        return None
    settings = open_named_providers(session, vault, [callback.provider_id])[callback.provider_id].settings
    try:
        envelope = sns.read(settings, callback.body.encode())
    except (Unsigned, Unreadable):
        envelope = None
    if envelope is None:
        session.delete(callback)
        return None
    return Unchecked(callback_id, envelope)


def forget_callback(session: Session, unchecked: Unchecked) -> None:
    """Let go of a request that nobody has signed; it does not count as having come."""
    if (callback := session.get(Callback, unchecked.callback_id)) is not None:
        session.delete(callback)


def settle_callback(session: Session, unchecked: Unchecked, pem: str) -> int:
    """Apply a request that is signed, and keep its certificate for the next ones; returns how much of it was news."""
    callback = session.get(Callback, unchecked.callback_id, with_for_update=True)
    if callback is None or callback.body is None:
        return 0
    callback.body = None
    envelope = unchecked.envelope
    row = {"url": envelope.certificate_url, "pem": pem}
    session.execute(insert(table_of(SigningCertificate)).values(row).on_conflict_do_nothing())
    if envelope.type != sns.NOTIFICATION:
        return 0
    provider = session.get_one(EmailProvider, callback.provider_id)
    try:
        return apply(session, owner_of(provider), provider.name, ses.read(envelope.message, envelope.id))
    except Unreadable:
        return 0
