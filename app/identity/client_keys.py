"""The keys of client applications and of their users: one works at a time, and another one ends it at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from app.identity.key_texts import CLIENT_KEY, CLIENT_USER_KEY, draw_text
from app.identity.models import Client, ClientKey, User
from app.kernel.audit import note_change
from app.kernel.clock import database_now, format_time
from app.kernel.crypto import Vault

USER_KEY_LIFETIME: Final = timedelta(days=7)


def give_client_key(session: Session, vault: Vault, client: Client) -> str:
    """Return the text of a new key for an application, whose row is locked or new; it works until there is another."""
    revoke_client_keys(session, ClientKey.client_id == client.id, ClientKey.user_id.is_(None))
    return _add(session, vault, CLIENT_KEY, client, ClientKey(client_id=client.id))


def give_user_key(session: Session, vault: Vault, user: User) -> str:
    """Return the text of a new key for a user of an application, whose row is locked or new; it works for a week."""
    revoke_client_keys(session, ClientKey.user_id == user.id)
    expires_at = database_now() + USER_KEY_LIFETIME
    key = ClientKey(client_id=user.client_id, user_id=user.id, expires_at=expires_at)
    return _add(session, vault, CLIENT_USER_KEY, user, key)


def revoke_client_keys(session: Session, *which: ColumnElement[bool]) -> None:
    """Let the keys that match fail from the next request on; streams they opened end within seconds."""
    revoked = session.execute(
        update(ClientKey)
        .where(ClientKey.revoked_at.is_(None), *which)
        .values(revoked_at=database_now())
        .returning(ClientKey.id, ClientKey.revoked_at)
        .execution_options(synchronize_session=False)
    )
    for key_id, moment in revoked:
        note_change(session, "updated", "client_key", key_id, revoked_at=[None, moment and format_time(moment)])


def _add(session: Session, vault: Vault, prefix: str, owner: Client | User, key: ClientKey) -> str:
    text = draw_text(vault, prefix, key)
    session.add(key)
    session.flush()
    session.refresh(owner, ["key"])
    return text
