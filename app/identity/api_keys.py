"""Keys: with one a program acts for whoever made it, within the key's scopes and never beyond its maker.

A key is `hr_live_`, a public part by which it is found, and a secret. The whole is shown once; what is kept is its
keyed hash. What it may is never written down: it is its scopes, within what its maker holds at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from app.identity.errors import TooManyKeys
from app.identity.key_texts import API_KEY, draw_text
from app.identity.models import ApiKey
from app.identity.permissions import permissions_of
from app.identity.roles import refuse_beyond
from app.kernel.audit import note_change
from app.kernel.clock import database_now, format_time, utc_now
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Forbidden, Invalid
from app.kernel.principal import Principal

MOST_KEYS = 100


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
    text = draw_text(vault, API_KEY, key)
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
    text = draw_text(vault, API_KEY, key)
    key.last_used_at = key.last_used_ip = None
    session.flush()
    return text


def revoke_key(session: Session, key: ApiKey) -> None:
    """Let a key fail from the next request on; streams it opened end within seconds."""
    key.revoked_at = database_now()
    session.flush()


def revoke_keys_of(session: Session, user_id: UUID) -> None:
    """Let every key that a user has made fail from the next request on."""
    revoke_keys(session, ApiKey.created_by == user_id)


def revoke_keys(session: Session, *which: ColumnElement[bool]) -> None:
    """Let the keys that match fail from the next request on."""
    revoked = session.execute(
        update(ApiKey)
        .where(ApiKey.revoked_at.is_(None), *which)
        .values(revoked_at=database_now())
        .returning(ApiKey.id, ApiKey.organization_id, ApiKey.revoked_at)
        .execution_options(synchronize_session=False)
    )
    for key_id, organization_id, moment in revoked:
        change = {"revoked_at": [None, moment and format_time(moment)]}
        note_change(session, "updated", "api_key", key_id, organization_id, **change)


def _refuse_beyond(caller: Principal, scopes: Iterable[str], organization_id: UUID | None) -> None:
    if organization_id is not None:
        refuse_beyond(caller, scopes, organization_id)
        return
    for scope in sorted(set(scopes) - permissions_of(caller)):
        raise Forbidden("A key cannot carry what you hold nowhere.", required_permission=scope)
