"""Requests of providers that tell what became of mails: checked, then applied. What cannot be checked yet, because the
certificate is not here, is kept, and a job fetches that.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.crypto import Vault
from app.kernel.db import table_of
from app.kernel.errors import Malformed, Unavailable
from app.kernel.ids import new_id
from app.notifications.callbacks import SOURCES, Incoming, Unreadable, Unsigned, ses, sns
from app.notifications.errors import CallbackNotSigned
from app.notifications.intents import SettleCallback
from app.notifications.models import Callback, EmailProvider, SigningCertificate
from app.notifications.providers import open_named_providers, owner_of
from app.notifications.reporting import apply

# Of one provider; what more there is comes again, for the topic tries again.
MOST_UNCHECKED: Final = 100


def receive(session: Session, vault: Vault, provider_id: UUID, incoming: Incoming) -> int:
    """Take a request to a provider's address; returns how much of it was news. Raises CallbackNotSigned, Malformed, and
    Unavailable where too much waits to be checked."""
    provider = session.get(EmailProvider, provider_id)
    if provider is None or provider.kind not in (*SOURCES, "ses"):
        raise CallbackNotSigned
    settings = open_named_providers(session, vault, [provider_id])[provider_id].settings
    try:
        if provider.kind == "ses":
            return _receive_from_topic(session, provider, settings, incoming)
        source = SOURCES[provider.kind]
        token = source.verify(settings, incoming)
        if token is not None and _keep(session, provider_id, token, None) is None:
            return 0
        return apply(session, owner_of(provider), provider.name, source.read(incoming.body))
    except Unsigned as error:
        raise CallbackNotSigned from error
    except Unreadable as error:
        raise Malformed(str(error)) from error


def _receive_from_topic(
    session: Session, provider: EmailProvider, settings: Mapping[str, Any], incoming: Incoming
) -> int:
    envelope = sns.read(settings, incoming.body)
    if envelope is None:
        return 0
    certificate = session.get(SigningCertificate, envelope.certificate_url)
    if certificate is not None:
        sns.verify(envelope, certificate.pem, incoming.now)
    if certificate is not None and envelope.type == sns.NOTIFICATION:
        return apply(session, owner_of(provider), provider.name, ses.read(envelope.message, envelope.id))
    _refuse_too_many(session, provider.id)
    kept = _keep(session, provider.id, envelope.id, incoming.body.decode("utf-8", "replace"))
    if kept is not None:
        jobs.accept(session, SettleCallback(kept), organization_id=provider.organization_id)
    return 0


def _refuse_too_many(session: Session, provider_id: UUID) -> None:
    waiting = select(func.count()).where(Callback.provider_id == provider_id, Callback.body.is_not(None))
    if (session.scalar(waiting) or 0) >= MOST_UNCHECKED:
        raise Unavailable("Too many requests wait to be checked.")


def _keep(session: Session, provider_id: UUID, token: str, body: str | None) -> UUID | None:
    """Keep that a request has come; None where it had come before."""
    row = {"id": new_id(), "provider_id": provider_id, "token": token, "body": body}
    kept = insert(table_of(Callback)).values(row).on_conflict_do_nothing().returning(Callback.id)
    found: UUID | None = session.scalar(kept)
    return found
