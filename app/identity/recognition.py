"""Recognizing callers by their tokens and keys where there is no request: in the stream process, whose clients name
themselves in what they send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy.orm import Session

from app.identity.callers import read_callers
from app.identity.errors import TokenExpired, TokenInvalid, TokenRevoked
from app.identity.key_texts import is_key
from app.identity.keys import ALGORITHM, KeyRing
from app.identity.presented_keys import authenticate_key
from app.identity.queries import read_principal
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.principal import Principal

AUDIENCE = "headrace"
LEEWAY_SECONDS = 5
"""How far the clocks of two hosts may differ."""


class TokenReader:
    """Reads the tokens and keys that the API at `issuer` gives out. Its methods block."""

    def __init__(self, database: Database, vault: Vault, issuer: str) -> None:
        self._database = database
        self._vault = vault
        self._ring = KeyRing(database, vault)
        self._issuer = issuer

    def recognize(self, token: str, address: str | None = None) -> Principal:
        """Return who a token or a key stands for, as they are now; a key's use is noted with the `address` it is from.

        Raises TokenInvalid, TokenExpired, TokenRevoked, KeyExpired or AccountDisabled for one that does not let in.
        """
        if is_key(token):
            return authenticate_key(self._database, self._vault, token, address)
        claims = self._read(token)
        try:
            user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TokenInvalid from error
        with self._database.transaction() as session:
            return read_principal(session, user_id, session_id, expires_at)

    def renew(self, session: Session, caller: Principal) -> Principal:
        """Return a caller as they are now, however old their token is; raises TokenRevoked when it gives no right."""
        logins, keys = ([found] if found else [] for found in (caller.session_id, caller.key_id))
        for renewed in read_callers(session, logins, keys).values():
            return replace(renewed, expires_at=renewed.expires_at or caller.expires_at)
        raise TokenRevoked

    def _read(self, token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._ring.public_key(str(kid))
            if key is None:
                raise TokenInvalid
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenInvalid from error
        if claims.get("type") != "access":
            raise TokenInvalid
        return claims
