"""What is read of accounts and logins."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.identity.errors import AccountDisabled, TokenRevoked
from app.identity.models import ADMIN, LoginSession, Membership, User
from app.identity.permissions import PERMISSIONS_OF_ROLE
from app.kernel.clock import database_now
from app.kernel.principal import Principal


def read_principal(session: Session, user_id: UUID, session_id: UUID, expires_at: datetime) -> Principal:
    """Return the caller whose token names this user and login, as they are now, in one query.

    Raises TokenRevoked when the login or the user is gone, AccountDisabled when the account is disabled.
    """
    rows = session.execute(_caller(user_id, session_id)).all()
    if not rows:
        raise TokenRevoked
    first = rows[0]
    if first.disabled_at is not None:
        raise AccountDisabled
    if not first.is_alive:
        raise TokenRevoked
    return Principal(
        user_id=user_id,
        username=first.username,
        is_admin=first.user_role == ADMIN,
        grants={row.organization_id: PERMISSIONS_OF_ROLE[row.role] for row in rows if row.organization_id},
        session_id=session_id,
        expires_at=expires_at,
    )


def _caller(user_id: UUID, session_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            User.username,
            User.role.label("user_role"),
            User.disabled_at,
            is_alive().label("is_alive"),
            Membership.organization_id,
            Membership.role,
        )
        .join(LoginSession, LoginSession.user_id == User.id)
        .outerjoin(Membership, Membership.user_id == User.id)
        .where(User.id == user_id, LoginSession.id == session_id)
    )


def is_alive() -> ColumnElement[bool]:
    """Whether a login has neither ended nor run out."""
    return LoginSession.ended_at.is_(None) & (LoginSession.expires_at > database_now())


def logins_of(user_id: UUID) -> Select[LoginSession]:
    """Select the logins of a user that still work."""
    return select(LoginSession).where(LoginSession.user_id == user_id, is_alive())


def sessions_ended(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return which of these logins give no right any more: ended, run out, deleted, or of a disabled account."""
    return set(ids) - set(_reach(session, ids))


class Right(Protocol):
    """By which login somebody goes on reading what belongs to an organization, or to nobody."""

    @property
    def session_id(self) -> UUID | None: ...

    @property
    def organization_id(self) -> UUID | None: ...


SomeRight = TypeVar("SomeRight", bound=Right)


def rights_ended(session: Session, rights: Collection[SomeRight]) -> list[SomeRight]:
    """Return which of these rights are gone: with their login, or with the membership in their organization."""
    reach = _reach(session, {right.session_id for right in rights if right.session_id})
    return [right for right in rights if right.session_id is None or not _reaches(reach.get(right.session_id), right)]


def _reach(session: Session, ids: Collection[UUID]) -> dict[UUID, set[UUID | None]]:
    """Return the organizations that each login which still works reaches; None stands for all."""
    rows = session.execute(
        select(LoginSession.id, User.role, Membership.organization_id)
        .join(User, User.id == LoginSession.user_id)
        .outerjoin(Membership, Membership.user_id == User.id)
        .where(LoginSession.id.in_(ids), is_alive(), User.disabled_at.is_(None))
    )
    reach: dict[UUID, set[UUID | None]] = {}
    for session_id, role, organization_id in rows:
        reached = reach.setdefault(session_id, set())
        if role == ADMIN:
            reached.add(None)
        elif organization_id is not None:
            reached.add(organization_id)
    return reach


def _reaches(reached: set[UUID | None] | None, right: Right) -> bool:
    if reached is None:
        return False
    return right.organization_id is None or None in reached or right.organization_id in reached
