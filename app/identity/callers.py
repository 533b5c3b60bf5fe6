"""Who a login or a key stands for, and what they hold where: read in one query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from app.identity.client_callers import SOME_CLIENT_KEYS, principal_of_client_key, read_client_rights
from app.identity.models import ApiKey, LoginSession, Membership, Role, RoleAssignment, User
from app.identity.permissions import ACCOUNT_PERMISSIONS, ADMIN, BUILT_IN, OWNER, PERMISSIONS_OF_ROLE
from app.kernel.clock import database_now
from app.kernel.principal import NOTHING, Principal

Rows = Sequence[Row[Any]]

_AT_ONCE: Final = 5000


def is_alive() -> ColumnElement[bool]:
    """Whether a login has neither ended nor run out."""
    return LoginSession.ended_at.is_(None) & (LoginSession.expires_at > database_now())


def is_in_force() -> ColumnElement[bool]:
    """Whether an assignment has not expired."""
    return or_(RoleAssignment.expires_at.is_(None), RoleAssignment.expires_at > database_now())


def is_valid() -> ColumnElement[bool]:
    """Whether a key has neither been revoked nor expired."""
    return ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > database_now())


def _select_held() -> Any:
    """Select what a user holds in which place; built-in roles by name, own ones by their permissions."""
    memberships = select(
        Membership.organization_id,
        Membership.organization_id.label("place"),
        (literal("organization-") + Membership.role).label("role"),
        cast(null(), ARRAY(Text)).label("permissions"),
    ).where(Membership.user_id == User.id)
    assignments = (
        select(RoleAssignment.organization_id, RoleAssignment.place, Role.name, Role.permissions)
        .join(Role, Role.id == RoleAssignment.role_id)
        .where(RoleAssignment.user_id == User.id, is_in_force())
    )
    return union_all(memberships.correlate(User), assignments.correlate(User)).lateral("held")


def _select_callers(
    credential: type[LoginSession | ApiKey | User], user_id: Any, *more: Any
) -> Select[*tuple[Any, ...]]:
    """Select the users of credentials: a row for each place in which they hold something, or one without a place."""
    held = _select_held()
    return (
        select(credential.id.label("credential_id"), User.id.label("user_id"), User.username, User.disabled_at, *more)
        .add_columns(User.role.label("user_role"), held.c.organization_id, held.c.place, held.c.role)
        .add_columns(held.c.permissions)
        .select_from(credential)
        .join(User, User.id == user_id)
        .outerjoin(held, true())
    )


_LOGINS = _select_callers(LoginSession, LoginSession.user_id, is_alive().label("is_valid"))
_KEYS = _select_callers(
    ApiKey,
    ApiKey.created_by,
    is_valid().label("is_valid"),
    ApiKey.organization_id.label("bound_to"),
    ApiKey.scopes,
    ApiKey.secret_hash,
    ApiKey.revoked_at,
    ApiKey.expires_at,
    ApiKey.last_used_at,
)
_SELF = aliased(User)
_USERS = _select_callers(_SELF, _SELF.id).where(_SELF.client_id.is_(None))
_ONE_USER = _USERS.where(_SELF.id == bindparam("user_id"))
_SOME_USERS = _USERS.where(_SELF.id.in_(bindparam("ids", expanding=True))).order_by(_SELF.id)
_ONE_LOGIN = _LOGINS.where(LoginSession.id == bindparam("session_id"), User.id == bindparam("user_id"))
_ONE_KEY = _KEYS.where(ApiKey.public_part == bindparam("public_part"))
_SOME_LOGINS = _LOGINS.where(LoginSession.id.in_(bindparam("ids", expanding=True))).order_by(LoginSession.id)
_SOME_KEYS = _KEYS.where(ApiKey.id.in_(bindparam("ids", expanding=True))).order_by(ApiKey.id)


def find_login(session: Session | Connection, user_id: UUID, session_id: UUID) -> Rows:
    """Return the rows of a user's login; none when there is no such login."""
    return session.execute(_ONE_LOGIN, {"user_id": user_id, "session_id": session_id}).all()


def find_key(session: Session | Connection, public_part: str) -> Rows:
    """Return the rows of a key."""
    return session.execute(_ONE_KEY, {"public_part": public_part}).all()


def read_rights(session: Session, user_id: UUID) -> Principal | None:
    """Return what a user, or a client application, holds now, whether they are here or not; None for one who is gone or
    disabled."""
    rows = session.execute(_ONE_USER, {"user_id": user_id}).all()
    if not rows:
        return read_client_rights(session, user_id)
    return None if rows[0].disabled_at is not None else replace(principal_of_login(rows), session_id=None)


def read_rights_of(session: Session, user_ids: Collection[UUID]) -> dict[UUID, Principal]:
    """Return what users hold now, by their ids, without those who are gone or disabled: a query for thousands."""
    found: dict[UUID, Principal] = {}
    for ids in _batches(sorted(user_ids)):
        rows = session.execute(_SOME_USERS, {"ids": ids}).all()
        for user_id, group in groupby(rows, attrgetter("user_id")):
            some = list(group)
            if some[0].disabled_at is None:
                found[user_id] = replace(principal_of_login(some), session_id=None)
    return found


def _batches(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE))


def principal_of_login(rows: Rows, **about: Any) -> Principal:
    """Return who stands behind the rows of a login."""
    first = rows[0]
    return Principal(
        user_id=first.user_id,
        username=first.username,
        is_admin=first.user_role == ADMIN,
        grants=_grants(rows) | {first.user_id: ACCOUNT_PERMISSIONS},
        session_id=first.credential_id,
        **about,
    )


def principal_of_key(rows: Rows) -> Principal:
    """Return who stands behind the rows of a key: its maker, as they are now, within the key's scopes and, for a key of
    an organization, within that organization."""
    first = rows[0]
    is_admin = first.user_role == ADMIN
    grants = _grants(row for row in rows if first.bound_to in (None, row.organization_id))
    if first.bound_to is None:
        grants[first.user_id] = ACCOUNT_PERMISSIONS
    elif is_admin:
        grants[first.bound_to] = PERMISSIONS_OF_ROLE[OWNER]
    return Principal(
        user_id=first.user_id,
        username=first.username,
        is_admin=is_admin and first.bound_to is None,
        grants=grants,
        expires_at=first.expires_at,
        key_id=first.credential_id,
        ceiling=frozenset(first.scopes),
    )


def read_callers(session: Session, login_ids: Collection[UUID], key_ids: Collection[UUID]) -> dict[UUID, Principal]:
    """Return who stands behind those of the logins and keys that still let in, by the id of the login or key."""
    found: dict[UUID, Principal] = {}
    for ids, statement, make in (
        (login_ids, _SOME_LOGINS, principal_of_login),
        (key_ids, _SOME_KEYS, principal_of_key),
        (key_ids, SOME_CLIENT_KEYS, principal_of_client_key),
    ):
        rows = session.execute(statement, {"ids": list(ids)}).all() if ids else []
        for credential_id, group in groupby(rows, attrgetter("credential_id")):
            some = list(group)
            if some[0].is_valid and some[0].disabled_at is None:
                found[credential_id] = make(some)
    return found


def _grants(rows: Iterable[Row[Any]]) -> dict[UUID, frozenset[str]]:
    grants: dict[UUID, frozenset[str]] = {}
    for row in rows:
        if row.place is not None:
            held = BUILT_IN[row.role].permissions if row.permissions is None else frozenset(row.permissions)
            grants[row.place] = grants.get(row.place, NOTHING) | held
    return grants
