"""What of identity is not kept for ever: each function deletes some rows and says how many, to be called until none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.identity.models import (
    AccountMail,
    AccountToken,
    Client,
    ClientKey,
    ExternalLogin,
    LoginSession,
    LoginThrottle,
    MfaChallenge,
    RefreshToken,
    SecurityEvent,
    User,
)
from app.kernel.clock import database_now
from app.kernel.db import Base

ENDED_LOGINS_KEPT: Final = timedelta(days=30)
SECURITY_LOG_KEPT: Final = timedelta(days=365)
FAILURES_KEPT: Final = timedelta(days=2)
AT_ONCE: Final = 2000


def forget_ended_logins(session: Session) -> int:
    """Delete logins that ended or ran out a month ago, with their tokens."""
    long_ago = database_now() - ENDED_LOGINS_KEPT
    return _forget(
        session,
        LoginSession,
        LoginSession.id,
        or_(LoginSession.ended_at < long_ago, LoginSession.expires_at < long_ago),
    )


def forget_expired_tokens(session: Session) -> int:
    """Delete refresh tokens that have expired; they are refused in any case."""
    return _forget(session, RefreshToken, RefreshToken.token_hash, RefreshToken.expires_at < database_now())


def forget_old_mails(session: Session) -> int:
    """Delete the rows of mails after a month."""
    return _forget(session, AccountMail, AccountMail.id, AccountMail.created_at < database_now() - ENDED_LOGINS_KEPT)


def forget_mail_tokens(session: Session) -> int:
    """Delete the tokens of mails a day after they have expired, for until then a reader is told why they fail."""
    over = AccountToken.expires_at < database_now() - timedelta(days=1)
    return _forget(session, AccountToken, AccountToken.token_hash, over)


def forget_challenges(session: Session) -> int:
    """Delete logins that have waited too long for their second factor."""
    over = MfaChallenge.expires_at < database_now() - timedelta(days=1)
    return _forget(session, MfaChallenge, MfaChallenge.token_hash, over)


def forget_external_logins(session: Session) -> int:
    """Delete logins at providers that did not come back, and id tokens that have expired."""
    over = ExternalLogin.expires_at < database_now()
    return _forget(session, ExternalLogin, ExternalLogin.token_hash, over)


def forget_security_events(session: Session) -> int:
    """Delete what is older than a year of the security logs."""
    old = SecurityEvent.created_at < database_now() - SECURITY_LOG_KEPT
    return _forget(session, SecurityEvent, SecurityEvent.id, old)


def forget_old_failures(session: Session) -> int:
    """Delete counts of failures that are forgotten."""
    old = LoginThrottle.failed_at < database_now() - FAILURES_KEPT
    return _forget(session, LoginThrottle, LoginThrottle.subject, old)


def forget_client_keys(session: Session) -> int:
    """Delete keys of client applications and of their users that were replaced or revoked a month ago."""
    long_ago = database_now() - ENDED_LOGINS_KEPT
    return _forget(session, ClientKey, ClientKey.id, ClientKey.revoked_at < long_ago)


def forget_deleted_clients(session: Session) -> int:
    """Delete the users of client applications that were deleted, then the applications."""
    deleted = Client.deleted_at.is_not(None)
    users = _forget(session, User, User.id, User.client_id.in_(select(Client.id).where(deleted)))
    return users or _forget(session, Client, Client.id, deleted)


def _forget(session: Session, model: type[Base], key: InstrumentedAttribute[Any], which: ColumnElement[bool]) -> int:
    some = select(key).where(which).limit(AT_ONCE)
    deleted = session.execute(delete(model).where(key.in_(some)).execution_options(synchronize_session=False))
    return int(deleted.rowcount)  # type: ignore[attr-defined]
