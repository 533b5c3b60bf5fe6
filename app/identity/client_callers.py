"""Who the key of a client application stands for, the application or one of its users, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from app.identity.models import Client, ClientKey, User
from app.identity.permissions import CLIENT_PERMISSIONS, CLIENT_USER_ACCOUNT, CLIENT_USER_PERMISSIONS
from app.kernel.clock import database_now
from app.kernel.principal import NOTHING, Principal


def is_working() -> ColumnElement[bool]:
    """Whether a key has neither been revoked nor expired, nor gone with its application."""
    in_time = or_(ClientKey.expires_at.is_(None), ClientKey.expires_at > database_now())
    return ClientKey.revoked_at.is_(None) & in_time & Client.deleted_at.is_(None)


_KEYS: Select[*tuple[Any, ...]] = (
    select(
        ClientKey.id.label("credential_id"),
        ClientKey.secret_hash,
        ClientKey.expires_at,
        ClientKey.last_used_at,
        func.coalesce(ClientKey.revoked_at, Client.deleted_at).label("revoked_at"),
        is_working().label("is_valid"),
        Client.id.label("client_id"),
        Client.name.label("client_name"),
        func.coalesce(Client.disabled_at, User.disabled_at).label("disabled_at"),
        User.id.label("user_id"),
        User.username,
        User.client_permissions,
    )
    .select_from(ClientKey)
    .join(Client, Client.id == ClientKey.client_id)
    .outerjoin(User, User.id == ClientKey.user_id)
)
_ONE_KEY = _KEYS.where(ClientKey.public_part == bindparam("public_part"))
SOME_CLIENT_KEYS = _KEYS.where(ClientKey.id.in_(bindparam("ids", expanding=True))).order_by(ClientKey.id)


def find_client_key(session: Session | Connection, public_part: str) -> Sequence[Row[Any]]:
    """Return the row of a key, in a list, or none."""
    return session.execute(_ONE_KEY, {"public_part": public_part}).all()


def principal_of_client_key(rows: Sequence[Row[Any]]) -> Principal:
    """Return who stands behind the row of a key."""
    (row,) = rows
    if row.user_id is None:
        return _application(row.client_id, row.client_name, key_id=row.credential_id)
    given, own = spell_out(row.client_permissions), CLIENT_USER_ACCOUNT
    return Principal(
        user_id=row.user_id,
        username=row.username,
        grants={row.client_id: given, row.user_id: own},
        expires_at=row.expires_at,
        key_id=row.credential_id,
        ceiling=given | own,
        client_id=row.client_id,
    )


def read_client_rights(session: Session, client_id: UUID) -> Principal | None:
    """Return what a client application holds now, whether it is here or not; None for one that is gone or disabled."""
    client = session.get(Client, client_id)
    if client is None or client.disabled_at is not None or client.deleted_at is not None:
        return None
    return _application(client.id, client.name)


def spell_out(given: Iterable[str]) -> frozenset[str]:
    """Return the permissions of names such as `send_messages`."""
    return NOTHING.union(*(CLIENT_USER_PERMISSIONS[name] for name in given))


def _application(client_id: UUID, name: str, **about: Any) -> Principal:
    return Principal(
        user_id=client_id,
        username=name,
        grants={client_id: CLIENT_PERMISSIONS},
        ceiling=CLIENT_PERMISSIONS,
        client_id=client_id,
        **about,
    )
