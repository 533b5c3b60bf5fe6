"""Keys: with one a program acts for whoever made it, within the key's scopes and never beyond its maker.

A key is `hr_live_`, a public part by which it is found, and a secret. The whole is shown once; what is kept is its
keyed hash. What it may is never written down: it is its scopes, within what its maker holds at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from app.identity.callers import Rows, find_key, principal_of_key
from app.identity.errors import AccountDisabled, KeyExpired, TokenInvalid, TokenRevoked, TooManyKeys
from app.identity.models import ApiKey
from app.identity.permissions import permissions_of
from app.identity.roles import refuse_beyond
from app.kernel.clock import database_now, utc_now
from app.kernel.crypto import Vault, new_token
from app.kernel.db import Database
from app.kernel.errors import FieldError, Forbidden, Invalid
from app.kernel.principal import Principal

PREFIX: Final = "hr_live_"
PUBLIC_BYTES = 9
SECRET_BYTES = 32
MOST_KEYS = 100

USE_NOTED_EVERY = timedelta(minutes=1)
"""How often the last use of a busy key is written down: a write for each request would cost more than the request."""

_FORM = re.compile(rf"{PREFIX}([A-Za-z0-9_-]{{12}})[A-Za-z0-9_-]{{43}}")


def keys_of(owner_id: UUID, organization_id: UUID | None) -> Select[ApiKey]:
    """Select the keys of an organization or, where none is named, the owner's own; without those that were revoked."""
    keys = select(ApiKey).where(ApiKey.revoked_at.is_(None))
    if organization_id is not None:
        return keys.where(ApiKey.organization_id == organization_id)
    return keys.where(ApiKey.created_by == owner_id, ApiKey.organization_id.is_(None))


def make_key(
    session: Session, vault: Vault, caller: Principal, organization_id: UUID | None, fields: dict[str, Any]
) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which nobody can tell again.

    Raises Forbidden for a scope beyond the caller, Invalid for an end that is past, TooManyKeys.
    """
    mine = keys_of(caller.user_id, organization_id).with_only_columns(func.count(ApiKey.id))
    if session.execute(mine).scalar_one() >= MOST_KEYS:
        raise TooManyKeys(limit=MOST_KEYS)
    key = ApiKey(created_by=caller.user_id, organization_id=organization_id)
    text = _draw(vault, key)
    session.add(key)
    return change_key(session, caller, key, fields), text


def change_key(session: Session, caller: Principal, key: ApiKey, fields: dict[str, Any]) -> ApiKey:
    """Write `name`, `scopes` and `expires_at` as far as given; raises as `make_key` does."""
    if "scopes" in fields:
        _refuse_beyond(caller, fields["scopes"], key.organization_id)
        fields = {**fields, "scopes": sorted(set(fields["scopes"]))}
    if (end := fields.get("expires_at")) is not None and end <= utc_now():
        raise Invalid(errors=[FieldError("expires_at", "Must lie ahead.")])
    for name, value in fields.items():
        setattr(key, name, value)
    session.flush()
    return key


def rotate_key(session: Session, vault: Vault, caller: Principal, key: ApiKey) -> str:
    """Return another text for a key; the one before fails from the next request on.

    Raises Forbidden unless the caller holds what the key carries: they are about to hold the key.
    """
    _refuse_beyond(caller, key.scopes, key.organization_id)
    text = _draw(vault, key)
    key.last_used_at = key.last_used_ip = None
    session.flush()
    return text


def revoke_key(session: Session, key: ApiKey) -> None:
    """Let a key fail from the next request on; streams it opened end within seconds."""
    key.revoked_at = database_now()
    session.flush()


def revoke_keys_of(session: Session, user_id: UUID) -> None:
    """Let every key that a user has made fail from the next request on."""
    theirs = update(ApiKey).where(ApiKey.created_by == user_id, ApiKey.revoked_at.is_(None))
    session.execute(theirs.values(revoked_at=database_now()).execution_options(synchronize_session=False))


def _draw(vault: Vault, key: ApiKey) -> str:
    key.public_part = new_token(PUBLIC_BYTES)
    text = PREFIX + key.public_part + new_token(SECRET_BYTES)
    key.secret_hash = vault.fingerprint(text.encode())
    return text


def _refuse_beyond(caller: Principal, scopes: Iterable[str], organization_id: UUID | None) -> None:
    if organization_id is not None:
        refuse_beyond(caller, scopes, organization_id)
        return
    for scope in sorted(set(scopes) - permissions_of(caller)):
        raise Forbidden("A key cannot carry what you hold nowhere.", required_permission=scope)


def is_key(credential: str) -> bool:
    """Tell whether a credential is meant to be one of these keys."""
    return credential.startswith(PREFIX)


def authenticate_key(database: Database, vault: Vault, text: str, address: str | None) -> Principal:
    """Return who sends a key. Raises TokenInvalid, AccountDisabled, TokenRevoked or KeyExpired."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise TokenInvalid("This key is not one of ours.")
    with database.looking() as connection:
        rows = find_key(connection, form[1])
    _refuse(rows, vault, text)
    fingerprint = vault.fingerprint(text.encode())
    if rows[0].secret_hash != fingerprint:
        with database.transaction() as session:
            _bring_under_newest_key(session, rows, fingerprint)
    if rows[0].last_used_at is None or rows[0].last_used_at < utc_now() - USE_NOTED_EVERY:
        with database.transaction() as session:
            _note_use(session, rows[0].credential_id, address)
    return principal_of_key(rows)


def _refuse(rows: Rows, vault: Vault, text: str) -> None:
    if not rows or not vault.recognizes(text.encode(), rows[0].secret_hash):
        raise TokenInvalid("This key is not one of ours.")
    if rows[0].disabled_at is not None:
        raise AccountDisabled
    if rows[0].revoked_at is not None:
        raise TokenRevoked("This key has been revoked.")
    if not rows[0].is_valid:
        raise KeyExpired


def _bring_under_newest_key(session: Session, rows: Rows, fingerprint: str) -> None:
    """Hash a key anew that was hashed before the platform's key changed: its text is known at its use alone."""
    was_hashed = (ApiKey.id == rows[0].credential_id, ApiKey.secret_hash == rows[0].secret_hash)
    renewed = update(ApiKey).where(*was_hashed).values(secret_hash=fingerprint, updated_at=ApiKey.updated_at)
    session.execute(renewed.execution_options(synchronize_session=False))


def _note_use(session: Session, key_id: UUID, address: str | None) -> None:
    """Write down that a key is in use; of many requests at once, one does."""
    due = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < database_now() - USE_NOTED_EVERY)
    one = select(ApiKey.id).where(ApiKey.id == key_id, due).with_for_update(skip_locked=True)
    session.execute(
        update(ApiKey)
        .where(ApiKey.id == one.scalar_subquery())
        .values(last_used_at=database_now(), last_used_ip=address, updated_at=ApiKey.updated_at)
        .execution_options(synchronize_session=False)
    )
