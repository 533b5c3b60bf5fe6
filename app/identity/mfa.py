"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes for who has lost it.

A code is used once, also when it is sent twice at the same moment; guesses are slowed down like those of passwords.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.identity.account_mails import give_notice
from app.identity.attempts import FREE_FAILURES, count_failure, forget_failures, refuse_waiting, seconds_to_wait
from app.identity.errors import InvalidCredentials, MfaEnabled, MfaNotEnabled, TokenExpired, TokenInvalid
from app.identity.models import MfaChallenge, MfaFactor, RecoveryCode, User
from app.identity.models.mfa import place_of_secret
from app.identity.origins import NOWHERE, Origin
from app.identity.passwords import demand_password
from app.identity.security_log import (
    MFA_DISABLED,
    MFA_ENABLED,
    MFA_FAILED,
    MFA_RESET,
    RECOVERY_CODE_USED,
    note_security,
)
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Vault, hash_token, new_token, same
from app.kernel.db import Database

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
CHALLENGE_SECONDS: Final = 300
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
"""80 random bits: enough that a plain hash does not help to find a code."""

FREE_ELSEWHERE: Final = 100
"""How many wrong codes an account bears from places its owner has never used, before these have to wait; a guess is
right once in 300,000 times."""

TOLERANCE: Final = (0, -1, 1)
"""How many steps the clock of an authenticator may be off."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator needs to know: the secret in base32, also as an `otpauth://` address for a QR code."""

    secret: str
    uri: str


def enrol(database: Database, vault: Vault, user_id: UUID, password: str | None) -> Enrolment:
    """Begin to give an account a second factor, which asks for nothing until it is confirmed.

    An account that has a password asks for it: with a stolen token alone somebody could lock the owner out. Raises
    MfaEnabled; Invalid or InvalidCredentials for the password.
    """
    with database.transaction() as session:
        stored = session.get_one(User, user_id).password_hash
    demand_password(stored, password, "use an authenticator")
    with database.transaction() as session:
        return _enrol(session, vault, session.get_one(User, user_id))


def _enrol(session: Session, vault: Vault, user: User) -> Enrolment:
    factor = session.get(MfaFactor, user.id, with_for_update=True)
    if factor is not None and factor.confirmed_at is not None:
        raise MfaEnabled
    secret = secrets.token_bytes(SECRET_BYTES)
    sealed = vault.encrypt(secret, place_of_secret(user.id))
    if factor is None:
        session.add(MfaFactor(user_id=user.id, sealed_secret=sealed))
    else:
        factor.sealed_secret, factor.last_step = sealed, 0
    session.flush()
    return Enrolment(base64.b32encode(secret).decode(), _totp(secret).get_provisioning_uri(user.email, "Headrace"))


def confirm(database: Database, vault: Vault, user_id: UUID, code: str, origin: Origin) -> list[str]:
    """Switch the second factor on, by its first code; return the recovery codes, which nobody can tell again.

    Raises MfaEnabled, MfaNotEnabled before `enrol`, InvalidCredentials for a wrong code, RateLimited.
    """
    with database.transaction() as session:
        if is_enabled(session, user_id):
            raise MfaEnabled
    prove(database, vault, user_id, code, origin)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    with database.transaction() as session:
        session.get_one(MfaFactor, user_id, with_for_update=True).confirmed_at = func.clock_timestamp()
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash_code(user_id, one)) for one in codes)
        note_security(session, user_id, MFA_ENABLED, origin)
        give_notice(session, session.get_one(User, user_id), "mfa_enabled", origin)
    return codes


def disable(database: Database, vault: Vault, user_id: UUID, code: str, origin: Origin) -> None:
    """Switch the second factor off, by a code. Raises MfaNotEnabled, InvalidCredentials, RateLimited."""
    prove(database, vault, user_id, code, origin)
    with database.transaction() as session:
        session.execute(delete(MfaFactor).where(MfaFactor.user_id == user_id))
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        note_security(session, user_id, MFA_DISABLED, origin)
        give_notice(session, session.get_one(User, user_id), "mfa_disabled", origin)


def reset(session: Session, user: User) -> None:
    """Take the second factor from an account whose owner has lost it, and end all its logins. Raises MfaNotEnabled."""
    factor = session.get(MfaFactor, user.id, with_for_update=True)
    if factor is None:
        raise MfaNotEnabled
    session.delete(factor)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    close_challenges(session, user.id)
    note_security(session, user.id, MFA_RESET, NOWHERE)
    give_notice(session, user, "mfa_reset", NOWHERE)


def is_enabled(session: Session, user_id: UUID) -> bool:
    """Tell whether logging in to an account takes a code."""
    factor = session.get(MfaFactor, user_id)
    return factor is not None and factor.confirmed_at is not None


def count_recovery_codes(session: Session, user_id: UUID) -> int:
    """Return how many recovery codes are left."""
    count = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return session.scalar(count) or 0


def prove(database: Database, vault: Vault, user_id: UUID, code: str, origin: Origin) -> None:
    """Use a code of the authenticator up, or a recovery code.

    Raises MfaNotEnabled, InvalidCredentials for a code that is wrong or was used, RateLimited after too many of them.
    """
    with database.transaction() as session:
        # The lock lets guesses wait for each other: many at once are counted one by one.
        factor = session.get(MfaFactor, user_id, with_for_update=True)
        if factor is None:
            raise MfaNotEnabled
        counted = _counted_by(user_id, origin)
        refuse_waiting(max(seconds_to_wait(session, subject) for subject in counted))
        is_right = _use_code(session, vault, factor, code) or _use_recovery_code(session, user_id, code, origin)
        if is_right:
            forget_failures(session, next(iter(counted)))
        else:
            _count_wrong(session, counted, user_id, origin)
    if not is_right:
        raise InvalidCredentials("The code is wrong or has been used.", field="code")


def _counted_by(user_id: UUID, origin: Origin) -> dict[str, int]:
    """Return by what wrong codes are counted, and how many of them are free: by the place they come from, as those of
    passwords; and all places together that the account's owner has never used, else a guesser who has the password
    would only need many. Nobody can so shut out the owner from a device of theirs."""
    if origin.device is not None and origin.is_device_of(user_id):
        return {f"mfa:{user_id}:{origin.device.name}": FREE_FAILURES}
    return {f"mfa:{user_id}:{origin.network}": FREE_FAILURES, f"mfa:{user_id}": FREE_ELSEWHERE}


def _count_wrong(session: Session, counted: Mapping[str, int], user_id: UUID, origin: Origin) -> None:
    for subject, free in counted.items():
        count_failure(session, subject, free)
    note_security(session, user_id, MFA_FAILED, origin)


def open_challenge(session: Session, user_id: UUID) -> str:
    """Return the token by which a login goes on that has shown its first factor; it is good for five minutes."""
    token = new_token()
    until = database_now() + sql_seconds(CHALLENGE_SECONDS)
    session.add(MfaChallenge(token_hash=hash_token(token), user_id=user_id, expires_at=until))
    session.flush()
    return token


def challenged_user(session: Session, token: str) -> UUID:
    """Return whose login waits for a code. Raises TokenInvalid or TokenExpired."""
    is_over = MfaChallenge.expires_at <= database_now()
    known = MfaChallenge.token_hash == hash_token(token)
    found = session.execute(select(MfaChallenge.user_id, is_over).where(known)).one_or_none()
    if found is None:
        raise TokenInvalid("There is no login that this token continues.")
    if found[1]:
        raise TokenExpired("This login has waited too long for its code; begin again.")
    return UUID(str(found[0]))


def close_challenge(session: Session, token: str) -> None:
    """Use a token up. Raises TokenInvalid when another request has done so."""
    used = delete(MfaChallenge).where(MfaChallenge.token_hash == hash_token(token)).returning(MfaChallenge.user_id)
    if session.scalars(used).one_or_none() is None:
        raise TokenInvalid("This login has been continued already.")


def close_challenges(session: Session, user_id: UUID) -> None:
    """End the logins that wait for a code: what they have shown before it is not good any more."""
    session.execute(delete(MfaChallenge).where(MfaChallenge.user_id == user_id))


def _use_code(session: Session, vault: Vault, factor: MfaFactor, code: str) -> bool:
    if len(code) != DIGITS:
        return False
    totp = _totp(vault.decrypt(factor.sealed_secret, place_of_secret(factor.user_id)))
    now = int(session.execute(select(func.extract("epoch", database_now()))).scalar_one())
    for drift in TOLERANCE:
        step = now // STEP_SECONDS + drift
        if step > factor.last_step and same(totp.generate(step * STEP_SECONDS).decode(), code):
            factor.last_step = step
            session.flush()
            return True
    return False


def _use_recovery_code(session: Session, user_id: UUID, code: str, origin: Origin) -> bool:
    known = RecoveryCode.code_hash == _hash_code(user_id, code)
    used = session.scalars(delete(RecoveryCode).where(known).returning(RecoveryCode.user_id)).one_or_none()
    if used is not None:
        note_security(session, user_id, RECOVERY_CODE_USED, origin, left=count_recovery_codes(session, user_id))
    return used is not None


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what authenticators speak; HMAC does not suffer


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hash_code(user_id: UUID, code: str) -> str:
    return hash_token(f"{user_id}/{code.lower().replace('-', '').replace(' ', '')}")
