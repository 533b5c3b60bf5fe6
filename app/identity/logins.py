"""Logins and their refresh tokens: log in, renew, end.

A refresh token works once. Using it is a compare-and-swap that also writes its successor, so of many requests with one
token exactly one rotates it. The others, when they come within `GRACE_SECONDS`, are an honest client's double click or
a repeat after a lost reply: they get the newest token of the same chain, which only the sender of the used token can
unseal. Later than that somebody replays a stolen token, and the whole login ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from app.identity.account_mails import give_notice
from app.identity.attempts import Attempt, forget_failures, note_failed_login, refuse_waiting
from app.identity.errors import (
    AccountDisabled,
    InvalidCredentials,
    MfaRequired,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
)
from app.identity.mfa import (
    CHALLENGE_SECONDS,
    challenged_user,
    close_challenge,
    is_enabled,
    open_challenge,
    prove,
)
from app.identity.models import LoginSession, RefreshToken, User
from app.identity.origins import Origin
from app.identity.passwords import hash_password, is_outdated, verify_password
from app.identity.security_log import (
    LOGGED_OUT,
    LOGIN_SUCCEEDED,
    SESSION_REVOKED,
    SESSIONS_REVOKED,
    TOKEN_REPLAYED,
    note_security,
)
from app.kernel.audit import name_actor, note_change
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Vault, hash_token, new_token
from app.kernel.db import Database
from app.kernel.errors import NotFound, Refusal

GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Login:
    """A user let in: the login, and the refresh token that continues it."""

    user: User
    session_id: UUID
    refresh_token: str


def log_in(database: Database, attempt: Attempt, password: str, lifetime: int) -> Login:
    """Let in whoever knows the password of the account they name; `lifetime` is in seconds.

    Raises InvalidCredentials after the same time for known and unknown accounts; RateLimited after too many failures;
    AccountDisabled, and MfaRequired where a second factor is due, only to those who know the password. The password is
    verified with no transaction open.
    """
    refuse_waiting(attempt.wait)
    account = attempt.account
    if not verify_password(account.password_hash if account else None, password) or account is None:
        with database.transaction() as session:
            note_failed_login(session, attempt)
        raise InvalidCredentials
    if account.disabled_at is not None:
        raise AccountDisabled
    verified = account.password_hash or ""
    kept = hash_password(password) if is_outdated(verified) else verified
    with database.transaction() as session:
        user = _confirm(session, account.id, verified, kept)
        forget_failures(session, attempt.subject)
        admitted = admit(session, user, attempt.origin, lifetime)
    return refuse_challenged(admitted)


def admit(session: Session, user: User, origin: Origin, lifetime: int) -> Login | str:
    """Let in who has shown their first factor, or return the token by which they go on with the second."""
    if is_enabled(session, user.id):
        return open_challenge(session, user.id)
    return let_in(session, user, origin, lifetime)


def refuse_challenged(admitted: Login | str) -> Login:
    """Raise MfaRequired for a login that waits for its second factor. Not within the transaction, which has to stay."""
    if isinstance(admitted, Login):
        return admitted
    raise MfaRequired(session_token=admitted, expires_in=CHALLENGE_SECONDS, methods=["totp", "recovery_code"])


def continue_login(database: Database, vault: Vault, token: str, code: str, origin: Origin, lifetime: int) -> Login:
    """Let in who shows the second factor. Raises TokenInvalid, TokenExpired, InvalidCredentials, RateLimited."""
    with database.transaction() as session:
        user_id = challenged_user(session, token)
    prove(database, vault, user_id, code, origin)
    with database.transaction() as session:
        close_challenge(session, token)
        user = session.get_one(User, user_id)
        if user.disabled_at is not None:
            raise AccountDisabled
        return let_in(session, user, origin, lifetime)


def _confirm(session: Session, user_id: UUID, verified: str, kept: str) -> User:
    """Write the login down, unless the password was changed or the account disabled since it was verified."""
    user = session.scalars(
        update(User)
        .where(User.id == user_id, User.password_hash == verified, User.disabled_at.is_(None))
        .values(last_login_at=database_now(), password_hash=kept, updated_at=User.updated_at)
        .returning(User)
    ).one_or_none()
    if user is None:
        raise InvalidCredentials
    return user


def let_in(session: Session, user: User, origin: Origin, lifetime: int) -> Login:
    """Begin a login of `user`, and tell them of it; by mail too, when it comes from where they have never been."""
    note_security(session, user.id, LOGIN_SUCCEEDED, origin, known_device=origin.is_device_of(user.id))
    if _is_new_place(session, user.id, origin):
        give_notice(session, user, "new_login", origin)
    return open_login(session, user, origin, lifetime)


def _is_new_place(session: Session, user_id: UUID, origin: Origin) -> bool:
    """Whether somebody who has logged in before does so from a device, or a program and address, that is new."""
    same_place = (LoginSession.ip_address == origin.ip_address) & (LoginSession.user_agent == origin.user_agent)
    before = select(func.count(), func.count().filter(same_place)).where(LoginSession.user_id == user_id)
    logins, from_there = session.execute(before).one()
    return bool(logins) and not from_there and not origin.is_device_of(user_id)


def open_login(session: Session, user: User, origin: Origin, lifetime: int) -> Login:
    """Begin a login of `user`, whose identity the caller has made sure of."""
    name_actor(user.id, user.username)
    login = LoginSession(
        user_id=user.id,
        ip_address=origin.ip_address,
        user_agent=origin.user_agent,
        expires_at=_after(lifetime),
    )
    session.add(login)
    session.flush()
    token = new_token()
    _keep(session, login.id, token, lifetime)
    return Login(user, login.id, token)


def renew(session: Session, presented: str, origin: Origin, lifetime: int) -> Login | Refusal:
    """Continue the login of a refresh token.

    A refusal is returned and not raised, because what a replay ends has to be committed.
    """
    successor = new_token()
    session_id = session.scalars(
        update(RefreshToken)
        .where(
            RefreshToken.token_hash == hash_token(presented),
            RefreshToken.used_at.is_(None),
            RefreshToken.expires_at > database_now(),
        )
        .values(used_at=database_now(), sealed_successor=_seal(presented, successor))
        .returning(RefreshToken.session_id)
    ).one_or_none()
    if session_id is None:
        return _answer_again(session, presented, origin)
    _keep(session, session_id, successor, lifetime)
    _forget_expired(session, session_id)
    session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
        .values(last_used_at=database_now(), expires_at=_after(lifetime))
    )
    return _continue(session, session_id, successor)


def _answer_again(session: Session, presented: str, origin: Origin) -> Login | Refusal:
    recently = RefreshToken.used_at > database_now() - sql_seconds(GRACE_SECONDS)
    found = session.execute(
        select(RefreshToken, recently).where(RefreshToken.token_hash == hash_token(presented))
    ).one_or_none()
    if found is None:
        return TokenInvalid()
    token, was_just_used = found
    if token.used_at is None:
        return TokenExpired()
    if not was_just_used:
        if end_logins(session, LoginSession.id == token.session_id, reason="replayed"):
            owner = session.get_one(LoginSession, token.session_id).user_id
            note_security(session, owner, TOKEN_REPLAYED, origin, session_id=str(token.session_id))
        return TokenRevoked()
    return _continue(session, token.session_id, _newest(session, presented, token))


def _newest(session: Session, presented: str, token: RefreshToken) -> str:
    """Follow the chain of successors to the one nobody has used."""
    while token.used_at is not None and token.sealed_successor is not None:
        presented = _unseal(presented, token.sealed_successor)
        token = session.get_one(RefreshToken, hash_token(presented))
    return presented


def _continue(session: Session, session_id: UUID, token: str) -> Login | Refusal:
    user, ended_at = session.execute(
        select(User, LoginSession.ended_at).join_from(LoginSession, User).where(LoginSession.id == session_id)
    ).one()
    if user.disabled_at is not None:
        return AccountDisabled()
    return TokenRevoked() if ended_at is not None else Login(user, session_id, token)


def login_of(session: Session, presented: str) -> UUID:
    """Return the login of a refresh token, also of a used one. Raises TokenInvalid for a token that is not ours."""
    token = session.get(RefreshToken, hash_token(presented))
    if token is None:
        raise TokenInvalid
    return token.session_id


def log_out(session: Session, session_id: UUID | None, origin: Origin) -> None:
    """End a login by its owner's wish; one that has ended stays as it is."""
    if end_logins(session, LoginSession.id == session_id, reason="logout"):
        owner = session.scalars(select(LoginSession.user_id).where(LoginSession.id == session_id)).one()
        note_security(session, owner, LOGGED_OUT, origin)


def end_own_login(session: Session, user_id: UUID, session_id: UUID, origin: Origin) -> None:
    """End a login of a user. Raises NotFound unless it is theirs and still works."""
    if not end_logins(session, LoginSession.id == session_id, LoginSession.user_id == user_id, reason="revoked"):
        raise NotFound(resource_type="login_session", resource_id=str(session_id))
    note_security(session, user_id, SESSION_REVOKED, origin, session_id=str(session_id))


def end_other_logins(session: Session, user_id: UUID, kept: UUID | None, origin: Origin) -> int:
    """End all logins of a user but one and return how many."""
    others = LoginSession.id.is_distinct_from(kept)
    ended = len(end_logins(session, LoginSession.user_id == user_id, others, reason="revoked"))
    note_security(session, user_id, SESSIONS_REVOKED, origin, count=ended)
    return ended


def end_logins(session: Session, *which: ColumnElement[bool], reason: str) -> list[UUID]:
    """End the logins that match and have not ended; returns their ids. Their tokens fail from the next request on."""
    ended = session.scalars(
        update(LoginSession)
        .where(LoginSession.ended_at.is_(None), *which)
        .values(ended_at=database_now(), end_reason=reason)
        .returning(LoginSession.id)
        .execution_options(synchronize_session=False)
    ).all()
    for login_id in ended:
        note_change(session, "updated", "login_session", login_id, end_reason=[None, reason])
    return list(ended)


def _keep(session: Session, session_id: UUID, token: str, lifetime: int) -> None:
    session.add(RefreshToken(token_hash=hash_token(token), session_id=session_id, expires_at=_after(lifetime)))
    session.flush()


def _forget_expired(session: Session, session_id: UUID) -> None:
    """Drop what a login has left behind; an expired token is refused in any case."""
    session.execute(
        delete(RefreshToken)
        .where(RefreshToken.session_id == session_id, RefreshToken.expires_at < database_now())
        .execution_options(synchronize_session=False)
    )


def _seal(presented: str, successor: str) -> bytes:
    return Vault(presented).encrypt(successor.encode(), hash_token(presented))


def _unseal(presented: str, sealed: bytes) -> str:
    return Vault(presented).decrypt(sealed, hash_token(presented)).decode()


def _after(seconds: float) -> ColumnElement[Any]:
    return database_now() + sql_seconds(seconds)
