"""Single-use tokens that travel by mail: made when the mail is sent, kept as hashes, bound to the address they went to.

Each try to send a mail makes a token of its own, for what became of the try before is unknown. Using one ends them all.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.identity.errors import TokenExpired, TokenInvalid, TokenRevoked
from app.identity.models import AccountToken, User
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import hash_token, new_token

VERIFY_EMAIL: Final = "verify_email"
RESET_PASSWORD: Final = "reset_password"  # noqa: S105 - the name of a purpose
LIFETIMES: Final = {VERIFY_EMAIL: 24 * 3600, RESET_PASSWORD: 3600}
"""In seconds."""


def make_account_token(session: Session, user: User, purpose: str) -> str:
    """Return a new token for a user; only its hash stays."""
    token = new_token()
    lifetime = sql_seconds(LIFETIMES[purpose])
    session.add(
        AccountToken(
            token_hash=hash_token(token),
            user_id=user.id,
            purpose=purpose,
            address=user.email,
            expires_at=database_now() + lifetime,
        )
    )
    session.flush()
    return token


def find_token_owner(session: Session, token: str, purpose: str) -> User:
    """Return whose token this is. Raises TokenInvalid, TokenExpired or TokenRevoked for one that is no good."""
    is_expired = AccountToken.expires_at <= database_now()
    found = session.execute(
        select(AccountToken, is_expired, User)
        .join(User, User.id == AccountToken.user_id)
        .where(AccountToken.token_hash == hash_token(token), AccountToken.purpose == purpose)
    ).one_or_none()
    if found is None:
        raise TokenInvalid
    row, expired, user = found
    if row.used_at is not None or row.address != user.email or user.disabled_at is not None:
        raise TokenRevoked("This token has been used, or its address is not the account's any more.")
    if expired:
        raise TokenExpired("This token has expired; ask for another one.")
    return user


def use_token(session: Session, token: str, purpose: str) -> User:
    """Use a token up, and all others its user has for the same; of many at once, one succeeds. Raises as
    `find_token_owner` does."""
    user = find_token_owner(session, token, purpose)
    used = session.scalars(
        update(AccountToken)
        .where(AccountToken.user_id == user.id, AccountToken.purpose == purpose, AccountToken.used_at.is_(None))
        .values(used_at=database_now())
        .returning(AccountToken.token_hash)
        .execution_options(synchronize_session=False)
    ).all()
    if hash_token(token) not in used:
        raise TokenRevoked("This token has been used.")
    return user
