"""The keys that sign access tokens: Ed25519, kept in the database with the private part sealed, cached per process."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased

from app.identity.models import SigningKey
from app.identity.models.logins import place_of_key
from app.kernel.clock import database_now, sql_seconds
from app.kernel.crypto import Vault, new_token
from app.kernel.db import Database
from app.kernel.errors import Unavailable

ALGORITHM: Final = "EdDSA"

FRESH_SECONDS = 300.0
"""After how long a process looks again which keys there are."""

PATIENCE_SECONDS = 2.0
"""How long an unknown key id is refused without another look, so that junk ids cost no query each."""

SETTLING_SECONDS = 30.0
"""How long a key is published before it signs, so that no process meets its id before it may look again."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs now."""

    kid: str
    private_key: Ed25519PrivateKey


def ensure_signing_key(session: Session, vault: Vault) -> str:
    """Return the id of the key that signs, made now if there is none. Two at once make one."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("identity.signing_keys", 0))))
    newest = session.scalars(_valid_keys().limit(1)).one_or_none()
    return newest.kid if newest else add_signing_key(session, vault)


def add_signing_key(session: Session, vault: Vault) -> str:
    """Make a key and return its id; it signs as soon as it has settled, and the older ones are still believed."""
    private_key = Ed25519PrivateKey.generate()
    kid = new_token(12)
    session.add(
        SigningKey(
            kid=kid,
            public_key=private_key.public_key().public_bytes_raw(),
            sealed_private_key=vault.encrypt(private_key.private_bytes_raw(), place_of_key(kid)),
        )
    )
    session.flush()
    return kid


def retire_superseded_keys(session: Session, lifetime: float) -> int:
    """Retire the keys whose last tokens have expired, by the `lifetime` of a token in seconds; returns how many.

    A process may go on signing with the key before for as long as it does not look again.
    """
    newer = aliased(SigningKey)
    overlap = sql_seconds(lifetime + SETTLING_SECONDS + 2 * FRESH_SECONDS)
    is_superseded = exists().where(
        newer.created_at > SigningKey.created_at,
        newer.retired_at.is_(None),
        newer.created_at < database_now() - overlap,
    )
    retired = (
        update(SigningKey)
        .where(SigningKey.retired_at.is_(None), is_superseded)
        .values(retired_at=database_now())
        .returning(SigningKey.kid)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(retired).all())


def published_keys(session: Session) -> dict[str, Any]:
    """Return the JSON Web Key Set (RFC 7517, RFC 8037) of all keys whose tokens are believed."""
    return {"keys": [_as_jwk(key) for key in session.scalars(_valid_keys())]}


class KeyRing:
    """The keys as one process knows them; it looks again for an id it does not know, and now and then."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._lock = Lock()
        self._read_at = float("-inf")
        self._signer: Signer | None = None
        self._public: dict[str, Ed25519PublicKey] = {}

    def signer(self) -> Signer:
        """Return the key that signs; raises Unavailable before the first release."""
        self._read_if_older_than(FRESH_SECONDS)
        if self._signer is None:
            self._read_if_older_than(PATIENCE_SECONDS)
        if self._signer is None:
            raise Unavailable("There is no signing key yet: the release step has not run.")
        return self._signer

    def public_key(self, kid: str) -> Ed25519PublicKey | None:
        """Return the public key of an id, or None if no valid key has it."""
        self._read_if_older_than(FRESH_SECONDS)
        if kid not in self._public:
            self._read_if_older_than(PATIENCE_SECONDS)
        return self._public.get(kid)

    def _read_if_older_than(self, seconds: float) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < seconds:
                return
            with self._database.transaction() as session:
                rows = session.execute(_valid_keys().add_columns(_has_settled())).all()
            self._signer = self._open(_signing(rows)) if rows else None
            self._public = {row.kid: Ed25519PublicKey.from_public_bytes(row.public_key) for row, _ in rows}
            self._read_at = time.monotonic()

    def _open(self, row: SigningKey) -> Signer:
        private_bytes = self._vault.decrypt(row.sealed_private_key, place_of_key(row.kid))
        return Signer(row.kid, Ed25519PrivateKey.from_private_bytes(private_bytes))


def _valid_keys() -> Any:
    return select(SigningKey).where(SigningKey.retired_at.is_(None)).order_by(SigningKey.created_at.desc())


def _has_settled() -> Any:
    return SigningKey.created_at < database_now() - sql_seconds(SETTLING_SECONDS)


def _signing(rows: Sequence[Any]) -> SigningKey:
    """Return the newest key that has settled; the first of an installation signs at once."""
    return next((key for key, has_settled in rows if has_settled), rows[-1][0])


def _as_jwk(key: SigningKey) -> dict[str, str]:
    coordinate = base64.urlsafe_b64encode(key.public_key).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": coordinate, "kid": key.kid, "alg": ALGORITHM, "use": "sig"}
