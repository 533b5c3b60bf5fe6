"""Keys as callers present them: whose they are, and that they are in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, or_, select, update
from sqlalchemy.orm import Session

from app.identity.callers import find_key, principal_of_key
from app.identity.client_callers import find_client_key, principal_of_client_key
from app.identity.errors import AccountDisabled, KeyExpired, TokenInvalid, TokenRevoked
from app.identity.key_texts import API_KEY, CLIENT_KEY, CLIENT_USER_KEY, read_text
from app.identity.known_callers import LEAVES_RIGHTS
from app.identity.models import ApiKey, ClientKey
from app.kernel.clock import database_now, utc_now
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.principal import Principal

USE_NOTED_EVERY = timedelta(minutes=1)
"""How often the last use of a busy key is written down: a write for each request would cost more than the request."""

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """Where the keys of a prefix are kept, and how their rows are read."""

    model: type[ApiKey | ClientKey]
    find: Callable[[Session | Connection, str], Rows]
    read: Callable[[Rows], Principal]


_OF_CLIENTS = Kind(ClientKey, find_client_key, principal_of_client_key)
KINDS: Final = {
    API_KEY: Kind(ApiKey, find_key, principal_of_key),
    CLIENT_KEY: _OF_CLIENTS,
    CLIENT_USER_KEY: _OF_CLIENTS,
}


def authenticate_key(database: Database, vault: Vault, text: str, address: str | None) -> Principal:
    """Return who sends a key. Raises TokenInvalid, AccountDisabled, TokenRevoked or KeyExpired."""
    said = read_text(text)
    if said is None:
        raise TokenInvalid("This key is not one of ours.")
    kind = KINDS[said.prefix]
    with database.looking() as connection:
        rows = kind.find(connection, said.public_part)
    _refuse(rows, vault, text)
    key, fingerprint = rows[0], vault.fingerprint(text.encode())
    if key.secret_hash != fingerprint:
        with database.transaction() as session:
            _bring_under_newest_key(session, kind.model, key, fingerprint)
    if key.last_used_at is None or key.last_used_at < utc_now() - USE_NOTED_EVERY:
        with database.transaction() as session:
            _note_use(session, kind.model, key.credential_id, address)
    return kind.read(rows)


def _refuse(rows: Rows, vault: Vault, text: str) -> None:
    if not rows or not vault.recognizes(text.encode(), rows[0].secret_hash):
        raise TokenInvalid("This key is not one of ours.")
    if rows[0].disabled_at is not None:
        raise AccountDisabled
    if rows[0].revoked_at is not None:
        raise TokenRevoked("This key has been revoked.")
    if not rows[0].is_valid:
        raise KeyExpired


def _bring_under_newest_key(session: Session, model: type[ApiKey | ClientKey], key: Row[Any], fingerprint: str) -> None:
    """Hash a key anew that was hashed before the platform's key changed: its text is known at its use alone."""
    was_hashed = (model.id == key.credential_id, model.secret_hash == key.secret_hash)
    renewed = update(model).where(*was_hashed).values(secret_hash=fingerprint, updated_at=model.updated_at)
    session.execute(renewed.execution_options(synchronize_session=False))


def _note_use(session: Session, model: type[ApiKey | ClientKey], key_id: UUID, address: str | None) -> None:
    """Write down that a key is in use; of many requests at once, one does."""
    due = or_(model.last_used_at.is_(None), model.last_used_at < database_now() - USE_NOTED_EVERY)
    one = select(model.id).where(model.id == key_id, due).with_for_update(skip_locked=True)
    session.execute(
        update(model)
        .where(model.id == one.scalar_subquery())
        .values(last_used_at=database_now(), last_used_ip=address, updated_at=model.updated_at)
        .execution_options(synchronize_session=False, **{LEAVES_RIGHTS: True})
    )
