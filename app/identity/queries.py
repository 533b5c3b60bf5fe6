"""What is read of accounts, logins and rights."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select, select
from sqlalchemy.orm import Session

from app.identity.callers import find_login, is_alive, principal_of_login, read_callers
from app.identity.errors import AccountDisabled, TokenRevoked
from app.identity.models import LoginSession
from app.kernel.principal import Principal


def read_principal(session: Session | Connection, user_id: UUID, session_id: UUID, expires_at: datetime) -> Principal:
    """Return the caller whose token names this user and login, as they are now, in one query.

    Raises TokenRevoked when the login or the user is gone, AccountDisabled when the account is disabled.
    """
    rows = find_login(session, user_id, session_id)
    if not rows:
        raise TokenRevoked
    if rows[0].disabled_at is not None:
        raise AccountDisabled
    if not rows[0].is_valid:
        raise TokenRevoked
    return principal_of_login(rows, expires_at=expires_at)


def logins_of(user_id: UUID) -> Select[LoginSession]:
    """Select the logins of a user that still work."""
    return select(LoginSession).where(LoginSession.user_id == user_id, is_alive())


def sessions_ended(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return which of these logins give no right any more: ended, run out, deleted, or of a disabled account."""
    return set(ids) - set(read_callers(session, set(ids), ()))


class Right(Protocol):
    """By which login or key somebody goes on reading, what permission that takes, and in one of which places; what lies
    in none, or takes no permission, takes the login or key alone."""

    @property
    def session_id(self) -> UUID | None: ...

    @property
    def key_id(self) -> UUID | None: ...

    @property
    def permission(self) -> str: ...

    @property
    def places(self) -> Sequence[UUID]: ...


SomeRight = TypeVar("SomeRight", bound=Right)


def rights_ended(session: Session, rights: Collection[SomeRight]) -> list[SomeRight]:
    """Return which of these rights are gone: with their login or key, or with what its owner held there."""
    logins = {right.session_id for right in rights if right.session_id}
    callers = read_callers(session, logins, {right.key_id for right in rights if right.key_id})
    return [right for right in rights if not _holds(callers, right)]


def _holds(callers: dict[UUID, Principal], right: Right) -> bool:
    credential = right.session_id or right.key_id
    caller = callers.get(credential) if credential else None
    if caller is None or not right.permission:
        return caller is not None
    return caller.may(right.permission, *right.places) if right.places else caller.permits(right.permission)
