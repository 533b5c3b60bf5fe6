"""Accounts: made, changed, and the first administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from app.identity.account_mails import ask_for_verification, give_notice
from app.identity.account_tokens import RESET_PASSWORD, VERIFY_EMAIL, find_token_owner, use_token
from app.identity.api_keys import revoke_keys_of
from app.identity.errors import InvalidCredentials, NameTaken
from app.identity.logins import end_logins
from app.identity.mfa import close_challenges
from app.identity.models import ExternalAccount, LoginSession, User
from app.identity.origins import Origin
from app.identity.passwords import demand_password, hash_password, refuse_weak, verify_password
from app.identity.permissions import ADMIN, USER
from app.identity.security_log import EMAIL_CHANGED, EMAIL_VERIFIED, PASSWORD_CHANGED, note_security
from app.identity.security_log import PASSWORD_RESET as PASSWORD_WAS_RESET
from app.identity.taken import refuse_taken
from app.kernel.db import Database

Welcome = Callable[[Session, User], None]

_welcomes: list[Welcome] = []

_FIELDS = {"uq_users_username_lower": "username", "uq_users_email_lower": "email"}
_TAKEN = "An account with this {field} exists already."


def after_registration(welcome: Welcome) -> Welcome:
    """Register what a higher room does for each new account, in the transaction that makes it; at import.

    An event would come too late: who has just registered must find their personal organization at once.
    """
    _welcomes.append(welcome)
    return welcome


def register(session: Session, username: str, email: str, password_hash: str | None, *, role: str = USER) -> User:
    """Make an account and everything that belongs to a new one. Raises NameTaken, which names the field."""
    user = User(username=username, email=email, password_hash=password_hash, role=role)
    session.add(user)
    with refuse_taken(_FIELDS, NameTaken, _TAKEN):
        session.flush()
    for welcome in _welcomes:
        welcome(session, user)
    return user


def create_first_admin(session: Session, username: str, email: str, password: str) -> User | None:
    """Make an administrator if there is none yet, else return None. Two at once make one.

    Never promotes: raises NameTaken when an ordinary account has the name or the address.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("identity.first_admin", 0))))
    if session.scalar(select(exists().where(User.role == ADMIN))):
        return None
    return register(session, username, email, hash_password(password), role=ADMIN)


def update_profile(session: Session, user: User, changes: dict[str, Any], origin: Origin) -> User:
    """Write `email`, `display_name` and `bio`; another address has to be verified anew, and the one before is told.

    Who reads the mails to the address can take the account over: another one needs `current_password`, not a token
    alone. Raises NameTaken; Invalid or InvalidCredentials for the password.
    """
    before, password = user.email, changes.pop("current_password", None)
    has_moved = changes.get("email", before).lower() != before.lower()
    if has_moved:
        demand_password(user.password_hash, password, "change the email address")
    for name, value in changes.items():
        setattr(user, name, value)
    if has_moved:
        user.email_verified = False
    with refuse_taken(_FIELDS, NameTaken, _TAKEN):
        session.flush()
    if has_moved:
        note_security(session, user.id, EMAIL_CHANGED, origin)
        give_notice(session, user, "address_changed", origin, address=before)
        ask_for_verification(session, user)
    return user


def verify_email(session: Session, token: str, origin: Origin) -> None:
    """Believe that an address is its account's. Raises TokenInvalid, TokenExpired or TokenRevoked."""
    user = use_token(session, token, VERIFY_EMAIL)
    user.email_verified = True
    note_security(session, user.id, EMAIL_VERIFIED, origin)


def reset_password(database: Database, token: str, new: str, origin: Origin) -> None:
    """Replace the password of the account a token was mailed to, and end all its logins.

    Raises TokenInvalid, TokenExpired or TokenRevoked for the token; Invalid, and the token stays good, for a password
    that is weak.
    """
    with database.transaction() as session:
        user = find_token_owner(session, token, RESET_PASSWORD)
        refuse_weak(new, user.username, user.email, field="new_password")
    replacement = hash_password(new)
    with database.transaction() as session:
        user = use_token(session, token, RESET_PASSWORD)
        if not user.email_verified:
            _shut_other_doors(session, user)
        # Whoever has the token reads the mails to the address.
        user.email_verified = True
        note_security(session, user.id, PASSWORD_WAS_RESET, origin)
        set_password(session, user, replacement, None, origin)


def _shut_other_doors(session: Session, user: User) -> None:
    """End the ways in, other than by the password, of an account whose address nobody had confirmed: somebody else may
    have made it in the name of the address's owner, to be in it still once the owner comes."""
    revoke_keys_of(session, user.id)
    session.execute(delete(ExternalAccount).where(ExternalAccount.user_id == user.id))


def change_password(
    database: Database, user_id: UUID, kept_session: UUID | None, current: str, new: str, origin: Origin
) -> None:
    """Replace the password and end every other login of the user. Raises InvalidCredentials for a wrong one, Invalid
    for a new one that is weak."""
    with database.transaction() as session:
        user = session.get_one(User, user_id)
        verified = user.password_hash
        refuse_weak(new, user.username, user.email, field="new_password")
    if not verify_password(verified, current):
        raise InvalidCredentials("The current password is wrong.", field="current_password")
    replacement = hash_password(new)
    with database.transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        if user.password_hash != verified:
            raise InvalidCredentials("The password has just been changed.")
        set_password(session, user, replacement, kept_session, origin)


def set_password(session: Session, user: User, password_hash: str, kept_session: UUID | None, origin: Origin) -> None:
    """Write another password and end the logins that came in by the one before; one may be kept."""
    user.password_hash = password_hash
    others = LoginSession.id.is_distinct_from(kept_session)
    end_logins(session, LoginSession.user_id == user.id, others, reason="password changed")
    close_challenges(session, user.id)
    note_security(session, user.id, PASSWORD_CHANGED, origin)
    give_notice(session, user, "password_changed", origin)
