"""Access tokens: short-lived, signed with EdDSA, issued and read by Flask-JWT-Extended.

A token only says who somebody is and which login it came from. What they may do is read from the database whenever it
may have changed (see `known_callers`), so that a logout, a disabled account or a lost role works on the next request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, Request, current_app
from flask_jwt_extended import JWTManager, create_access_token, get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException, NoAuthorizationError
from jwt import ExpiredSignatureError, PyJWTError

from app.http import platform
from app.identity.errors import TokenExpired, TokenInvalid
from app.identity.key_texts import is_key
from app.identity.keys import ALGORITHM, KeyRing, Signer
from app.identity.known_callers import KnownCallers
from app.identity.presented_keys import authenticate_key
from app.identity.queries import read_principal
from app.identity.recognition import AUDIENCE, LEEWAY_SECONDS
from app.identity.seen_tokens import SeenTokens
from app.kernel.db import Database
from app.kernel.errors import AuthRequired
from app.kernel.principal import Principal

RING = "headrace.keys"
SEEN = "headrace.seen_tokens"
KNOWN = "headrace.known_callers"


@dataclass(frozen=True, slots=True)
class _Subject:
    user_id: UUID
    session_id: UUID
    signer: Signer


def set_up_tokens(app: Flask) -> None:
    """Let `app`, whose platform is in place, issue and read tokens."""
    with app.app_context():
        parts = platform()
    ring = KeyRing(parts.database, parts.vault)
    app.extensions[RING] = ring
    app.extensions[SEEN] = SeenTokens()
    app.extensions[KNOWN] = KnownCallers(parts.rights)
    app.config.update(
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=parts.access_token_seconds),
        JWT_ENCODE_ISSUER=parts.public_url,
        JWT_DECODE_ISSUER=parts.public_url,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_LEEWAY=LEEWAY_SECONDS,
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,
    )
    manager = JWTManager(app)
    manager.user_identity_loader(lambda subject: str(subject.user_id))
    manager.additional_claims_loader(lambda subject: {"sid": str(subject.session_id)})
    manager.additional_headers_loader(lambda subject: {"kid": subject.signer.kid})
    manager.encode_key_loader(lambda subject: subject.signer.private_key)
    manager.decode_key_loader(lambda headers, _claims: _believed_key(ring, headers))


def issue_token(user_id: UUID, session_id: UUID, lifetime: timedelta | None = None) -> str:
    """Return an access token for a login, of the platform's lifetime unless another is given."""
    ring: KeyRing = current_app.extensions[RING]
    token: str = create_access_token(_Subject(user_id, session_id, ring.signer()), expires_delta=lifetime)
    return token


def authenticate(request: Request) -> Principal:
    """Return who sends the current request, with a token or with a key.

    Raises AuthRequired without either; TokenInvalid, TokenExpired, TokenRevoked, KeyExpired or AccountDisabled for one
    that does not let in.
    """
    known: KnownCallers = current_app.extensions[KNOWN]
    key = _presented_key(request)
    if key is not None:
        look_up = partial(authenticate_key, platform().database, platform().vault, key, request.remote_addr)
        return known.recognize("key", key, look_up)
    token = request.headers.get("Authorization", "")
    return known.recognize("token", token, lambda: _caller(platform().database, _read_token(token)))


def _presented_key(request: Request) -> str | None:
    """Return the key among the headers; a token in `Authorization` goes before a key in `X-API-Key`."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        return credential.strip() if scheme.lower() == "bearer" and is_key(credential.strip()) else None
    return request.headers.get("X-API-Key")


def _read_token(token: str) -> Mapping[str, Any]:
    """Return what the token of the current request says."""
    seen: SeenTokens = current_app.extensions[SEEN]
    claims = seen.find(token)
    if claims is None:
        claims = _verify()
        seen.keep(token, claims)
    elif claims["exp"] + LEEWAY_SECONDS <= time.time():
        raise TokenExpired
    return claims


def _verify() -> dict[str, Any]:
    try:
        verify_jwt_in_request()
    except NoAuthorizationError as error:
        raise AuthRequired from error
    except ExpiredSignatureError as error:
        raise TokenExpired from error
    except (PyJWTError, JWTExtendedException) as error:
        raise TokenInvalid from error
    claims: dict[str, Any] = get_jwt()
    return claims


def _believed_key(ring: KeyRing, headers: dict[str, Any]) -> Ed25519PublicKey:
    key = ring.public_key(str(headers.get("kid")))
    if key is None:
        raise TokenInvalid
    return key


def _caller(database: Database, claims: Mapping[str, Any]) -> Principal:
    try:
        user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (KeyError, ValueError) as error:
        raise TokenInvalid from error
    with database.looking() as connection:
        return read_principal(connection, user_id, session_id, expires_at)
