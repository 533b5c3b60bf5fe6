"""What administrators of the platform do with accounts. There is always one left who can do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from app.identity import mfa
from app.identity.api_keys import revoke_keys_of
from app.identity.errors import LastAdministrator, NotOneself
from app.identity.logins import end_logins
from app.identity.models import LoginSession, User, accounts
from app.identity.permissions import ADMIN, PERMISSIONS
from app.identity.roles import refuse_beyond
from app.kernel.clock import database_now
from app.kernel.errors import Conflict, NotFound
from app.kernel.principal import Principal

ACTIVE: Final = "active"
UNVERIFIED: Final = "unverified"
DISABLED: Final = "disabled"
STATUSES: Final = (ACTIVE, UNVERIFIED, DISABLED)


def filter_users(filters: Mapping[str, Any]) -> Select[User]:
    """Select users; filters: role, email_verified, status, search in name and address."""
    users = accounts()
    for name in ("role", "email_verified"):
        if name in filters:
            users = users.where(getattr(User, name) == filters[name])
    if "status" in filters:
        is_disabled = User.disabled_at.is_not(None)
        wanted = {
            DISABLED: is_disabled,
            UNVERIFIED: ~is_disabled & ~User.email_verified,
            ACTIVE: ~is_disabled & User.email_verified,
        }
        users = users.where(wanted[filters["status"]])
    if "search" in filters:
        names = [column.icontains(filters["search"], autoescape=True) for column in (User.username, User.email)]
        users = users.where(names[0] | names[1])
    return users


def count_users(session: Session) -> dict[str, int]:
    """Return how many users there are of which kind."""
    count = func.count(User.id)
    return dict(
        session.execute(
            select(
                count.label("total_users"),
                count.filter(User.email_verified).label("verified_users"),
                count.filter(User.role == ADMIN).label("admin_users"),
                count.filter(User.disabled_at.is_not(None)).label("disabled_users"),
            ).where(User.client_id.is_(None))
        )
        .mappings()
        .one()
    )


def load_user(session: Session, user_id: UUID, *, for_update: bool = True) -> User:
    """Return an account, locked unless it is only looked at. Raises NotFound."""
    user = session.get(User, user_id, with_for_update=for_update)
    if user is None or user.client_id is not None:
        raise NotFound(resource_type="user", resource_id=str(user_id))
    return user


def disable_user(session: Session, caller: Principal, user_id: UUID, confirmed: str | None) -> User:
    """Disable an account: its logins end, its keys are revoked, and its streams end within seconds.

    Raises LastAdministrator, NotOneself unless `confirmed` is the caller's own name, Conflict when it is disabled.
    """
    _lock_administrators(session)
    user = load_user(session, user_id)
    if user.disabled_at is not None:
        raise Conflict("This account is disabled already.")
    _refuse_to_lose(session, caller, user, confirmed)
    user.disabled_at = database_now()
    end_logins(session, LoginSession.user_id == user_id, reason="disabled")
    revoke_keys_of(session, user_id)
    session.flush()
    session.refresh(user)
    return user


def reset_second_factor(session: Session, caller: Principal, user_id: UUID) -> None:
    """Take the second factor from a user who has lost it; their logins end, and they are told by mail.

    Raises MfaNotEnabled; Conflict for the caller's own, which takes a code.
    """
    if user_id == caller.user_id:
        raise Conflict("This is your own second factor: switch it off at /auth/mfa/disable, by a code.")
    mfa.reset(session, load_user(session, user_id))
    end_logins(session, LoginSession.user_id == user_id, reason="second factor reset")


def enable_user(session: Session, user_id: UUID) -> User:
    """Let an account in again; it has to log in anew. Raises Conflict when it is not disabled."""
    user = load_user(session, user_id)
    if user.disabled_at is None:
        raise Conflict("This account is not disabled.")
    user.disabled_at = None
    session.flush()
    return user


def change_role(session: Session, caller: Principal, user_id: UUID, role: str, confirmed: str | None) -> User:
    """Make a user an administrator of the platform, or an ordinary user.

    Raises as `disable_user` does; Forbidden for a caller who does not hold everything, such as a key.
    """
    refuse_beyond(caller, PERMISSIONS)
    _lock_administrators(session)
    user = load_user(session, user_id)
    if role != ADMIN:
        _refuse_to_lose(session, caller, user, confirmed)
    user.role = role
    session.flush()
    return user


def _lock_administrators(session: Session) -> None:
    """Let changes of who administers wait for each other: of the last two, each would count on the other."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("identity.administrators", 0))))


def _refuse_to_lose(session: Session, caller: Principal, user: User, confirmed: str | None) -> None:
    if user.role != ADMIN:
        return
    others = exists().where(User.role == ADMIN, User.disabled_at.is_(None), User.id != user.id)
    if not session.scalar(select(others)):
        raise LastAdministrator
    if user.id == caller.user_id and confirmed != user.username:
        raise NotOneself(confirm="your username")
