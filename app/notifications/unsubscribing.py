"""Unsubscribing with one click (RFC 8058): by a link that only this platform can have written. A GET changes nothing:
programs that look ahead follow links.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.crypto import Vault
from app.kernel.errors import NotFound
from app.kernel.ids import new_id
from app.notifications.addresses import fold
from app.notifications.models import UNSUBSCRIBED, Notification, Recipient, Suppression
from app.notifications.providers import owner_of

PATH: Final = "/api/v1/unsubscribe"


def unsubscribe_link(vault: Vault, public_url: str, recipient_id: UUID) -> str:
    """Return the link that unsubscribes a recipient."""
    return f"{public_url.rstrip('/')}{PATH}/{recipient_id}/{_mark(vault, recipient_id)}"


def unsubscribe(session: Session, vault: Vault, recipient_id: UUID, mark: str) -> None:
    """Let the owner of a notification send nothing more to its recipient. Raises NotFound for another's link."""
    if not vault.recognizes(_said(recipient_id), mark):
        raise NotFound(resource_type="unsubscription", resource_id=str(recipient_id))
    recipient = session.get(Recipient, recipient_id)
    notification = session.get(Notification, recipient.notification_id) if recipient is not None else None
    if recipient is None or notification is None:
        return
    row = {
        "id": new_id(),
        "address": fold(recipient.mail_address),
        "reason": UNSUBSCRIBED,
        "notification_id": notification.id,
        **owner_of(notification),
    }
    session.execute(insert(Suppression).values(row).on_conflict_do_nothing())


def _mark(vault: Vault, recipient_id: UUID) -> str:
    return vault.fingerprint(_said(recipient_id))


def _said(recipient_id: UUID) -> bytes:
    return f"unsubscribe:{recipient_id}".encode()
