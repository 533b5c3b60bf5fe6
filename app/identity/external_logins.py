"""Logins at other providers: begun here, finished there, and joined to an account.

An account at a provider is joined to one of ours for good, by its subject. The first time they are joined by an address
that both the provider and we have verified, and by nothing else: an address that nobody has confirmed here may be that
of somebody who waits for its owner.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.account_mails import give_notice
from app.identity.accounts import register
from app.identity.errors import (
    AccountDisabled,
    AddressUnconfirmed,
    EmailNotVerified,
    RegistrationClosed,
    TokenInvalid,
    TokenRevoked,
)
from app.identity.gateways.base import Profile, Secrets
from app.identity.models import ExternalAccount, ExternalLogin, User, accounts
from app.identity.models.external import place_of_login
from app.identity.origins import Origin
from app.identity.security_log import PROVIDER_LINKED, REGISTERED, note_security
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Vault, hash_token, new_token, same

STATE_SECONDS: Final = 600
ID_TOKEN_SECONDS: Final = 3600

_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]+")


def begin(session: Session, vault: Vault, provider: str) -> tuple[str, Secrets]:
    """Begin a login at a provider; return its state, and what will tie the answer to it."""
    state, made = new_token(), Secrets(new_token(), new_token())
    plain = json.dumps([made.verifier, made.nonce]).encode()
    session.add(
        ExternalLogin(
            token_hash=hash_token(state),
            provider=provider,
            sealed=vault.encrypt(plain, place_of_login(hash_token(state))),
            expires_at=_after(STATE_SECONDS),
        )
    )
    session.flush()
    return state, made


def take_up(session: Session, vault: Vault, provider: str, state: str, cookie: str | None) -> Secrets:
    """Use up the state of a login that comes back; raises TokenInvalid for one that this browser has not begun, that
    was used, or is over."""
    if cookie is None or not same(cookie, state):
        raise TokenInvalid("This login was not begun in this browser.")
    begun = session.execute(
        delete(ExternalLogin)
        .where(
            ExternalLogin.token_hash == hash_token(state),
            ExternalLogin.provider == provider,
            ExternalLogin.expires_at > database_now(),
            ExternalLogin.sealed.is_not(None),
        )
        .returning(ExternalLogin.sealed)
    ).scalar_one_or_none()
    if begun is None:
        raise TokenInvalid("This login was not begun here, or is over.")
    verifier, nonce = json.loads(vault.decrypt(begun, place_of_login(hash_token(state))))
    return Secrets(verifier, nonce)


def use_id_token(session: Session, provider: str, id_token: str) -> None:
    """Let an id token be used once. Raises TokenRevoked."""
    used = insert(ExternalLogin).values(
        token_hash=hash_token(id_token), provider=provider, sealed=None, expires_at=_after(ID_TOKEN_SECONDS)
    )
    if not session.execute(used.on_conflict_do_nothing().returning(ExternalLogin.token_hash)).all():
        raise TokenRevoked("This id token has been used.")


def find_or_make_user(
    session: Session, provider: str, profile: Profile, origin: Origin, *, registration_open: bool
) -> User:
    """Return the account of somebody who has logged in at a provider, made or joined if it is their first time.

    Raises EmailNotVerified where the provider has not verified the address, AddressUnconfirmed where we have not,
    RegistrationClosed, AccountDisabled.
    """
    theirs = (ExternalAccount.provider == provider) & (ExternalAccount.subject == profile.subject)
    user = session.scalars(select(User).join(ExternalAccount).where(theirs)).one_or_none()
    if user is None:
        user = _join(session, provider, profile, origin, registration_open=registration_open)
    if user.disabled_at is not None:
        raise AccountDisabled
    seen = update(User).where(User.id == user.id).values(last_login_at=database_now(), updated_at=User.updated_at)
    return session.scalars(seen.returning(User).execution_options(populate_existing=True)).one()


def _join(session: Session, provider: str, profile: Profile, origin: Origin, *, registration_open: bool) -> User:
    if not profile.email_verified or not _ADDRESS.fullmatch(profile.email):
        raise EmailNotVerified("The provider has not verified your address.")
    user = session.scalars(accounts().where(func.lower(User.email) == profile.email.lower())).one_or_none()
    if user is not None and not user.email_verified:
        raise AddressUnconfirmed
    if user is None:
        user = _make_user(session, profile, origin, registration_open=registration_open)
    else:
        note_security(session, user.id, PROVIDER_LINKED, origin, provider=provider)
        give_notice(session, user, "provider_linked", origin)
    session.add(ExternalAccount(user_id=user.id, provider=provider, subject=profile.subject))
    session.flush()
    return user


def _make_user(session: Session, profile: Profile, origin: Origin, *, registration_open: bool) -> User:
    if not registration_open:
        raise RegistrationClosed
    user = register(session, _free_name(session, profile), profile.email, None)
    user.email_verified = True
    note_security(session, user.id, REGISTERED, origin)
    return user


def _free_name(session: Session, profile: Profile) -> str:
    """Return a username like the provider's that nobody has."""
    wished = _NOT_OF_A_NAME.sub("-", profile.name or profile.email.partition("@")[0]).strip("-.")[:40]
    name = wished if len(wished) >= 3 else f"user-{wished}".rstrip("-")
    while session.scalar(select(accounts().where(func.lower(User.username) == name.lower()).exists())):
        name = f"{wished[:40] or 'user'}-{base64.b32encode(secrets.token_bytes(3)).decode().lower().rstrip('=')}"
    return name


def _after(seconds: int) -> Any:
    return database_now() + sql_seconds(seconds)
