"""Access tokens: ours are believed as long as their login lives, forgeries never."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, update

from app.identity import TokenReader
from app.identity.keys import KeyRing, add_signing_key, retire_superseded_keys
from app.identity.models import LoginSession, Membership, SigningKey
from app.identity.tokens import AUDIENCE, RING
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.errors import Refusal
from config.settings import Settings
from tests.support.identity import Person, data_of, error_of, make_person

ME = "/api/v1/auth/me"


class Forger:
    """Makes tokens with the platform's own key, or with anything else."""

    def __init__(self, database: Database, settings: Settings, person: Person) -> None:
        self.signer = KeyRing(database, Vault(settings.secret_key)).signer()
        now = datetime.now(UTC)
        self.claims: dict[str, Any] = {
            "sub": str(person.user.id),
            "sid": str(person.session_id),
            "type": "access",
            "iss": settings.public_url,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(minutes=5),
        }

    def make(self, key: Any = None, algorithm: str = "EdDSA", kid: str | None = None, **claims: Any) -> str:
        """Return a token; a claim given as None is left out."""
        said = {name: value for name, value in (self.claims | claims).items() if value is not None}
        key = self.signer.private_key if key is None else key
        return jwt.encode(said, key, algorithm, headers={"kid": kid or self.signer.kid})


@pytest.fixture
def forger(database: Database, settings: Settings, alice: Person) -> Forger:
    return Forger(database, settings, alice)


def ask(client: FlaskClient, token: str) -> Any:
    reply = client.get(ME, headers={"Authorization": f"Bearer {token}"})
    assert decide_without_a_request(client.application, token) == (reply.get_json().get("error") or {}).get("code")
    return reply


def decide_without_a_request(app: Flask, token: str) -> str | None:
    """Return why the stream process refuses a token, or None: there is one opinion of each."""
    parts = app.extensions["headrace"]
    try:
        TokenReader(parts.database, parts.vault, parts.public_url).recognize(token)
    except Refusal as refusal:
        return refusal.code
    return None


def test_a_token_as_we_make_them_is_believed(client: FlaskClient, forger: Forger) -> None:
    assert data_of(ask(client, forger.make()))["username"] == "alice"


def test_a_token_can_be_verified_by_anyone_who_reads_the_published_keys(client: FlaskClient, alice: Person) -> None:
    response = client.get("/.well-known/jwks.json")
    keys = jwt.PyJWKSet.from_dict(response.get_json())
    kid = jwt.get_unverified_header(alice.access_token)["kid"]
    claims = jwt.decode(alice.access_token, keys[kid], ["EdDSA"], audience=AUDIENCE)
    assert claims["sub"] == str(alice.user.id)
    assert response.mimetype == "application/jwk-set+json"
    assert all(set(key) == {"kty", "crv", "x", "kid", "alg", "use"} for key in response.get_json()["keys"])


def test_a_token_without_a_signature_is_refused(client: FlaskClient, forger: Forger) -> None:
    parts = [{"alg": "none", "kid": forger.signer.kid, "typ": "JWT"}, forger.claims]
    body = ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts)
    assert error_of(ask(client, body + "."), 401)["code"] == "TOKEN_INVALID"


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(client: FlaskClient, forger: Forger) -> None:
    public = forger.signer.private_key.public_key().public_bytes_raw()
    token = forger.make(public, "HS256")
    assert error_of(ask(client, token), 401)["code"] == "TOKEN_INVALID"


def test_a_token_signed_with_another_key_is_refused(client: FlaskClient, forger: Forger) -> None:
    for kid in (None, "another", "../../etc/passwd", "' OR 1=1"):
        token = forger.make(Ed25519PrivateKey.generate(), kid=kid)
        assert error_of(ask(client, token), 401)["code"] == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://elsewhere.example.com"},
        {"type": "refresh"},
        {"sid": None},
        {"sid": "no uuid"},
        {"sub": "no uuid"},
        {"iat": datetime.now(UTC) + timedelta(hours=1)},
        {"nbf": datetime.now(UTC) + timedelta(hours=1)},
        {"exp": None},
    ],
)
def test_a_token_with_claims_that_are_not_ours_is_refused(
    client: FlaskClient, forger: Forger, claims: dict[str, Any]
) -> None:
    assert error_of(ask(client, forger.make(**claims)), 401)["code"] == "TOKEN_INVALID"


def test_a_token_past_its_time_is_refused_as_expired(client: FlaskClient, forger: Forger) -> None:
    token = forger.make(exp=datetime.now(UTC) - timedelta(seconds=30))
    response = ask(client, token)
    assert error_of(response, 401)["code"] == "TOKEN_EXPIRED"
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("header", ["", "Basic YWxpY2U6YWxpY2U=", "Bearer", "alice"])
def test_a_request_without_a_bearer_token_is_asked_to_log_in(client: FlaskClient, header: str) -> None:
    response = client.get(ME, headers={"Authorization": header} if header else {})
    assert error_of(response, 401)["code"] in ("AUTH_REQUIRED", "TOKEN_INVALID")


@pytest.mark.parametrize("token", ["x", "x.y.z", "a b", "é", "." * 2000, "e30.e30.e30"])
def test_junk_for_a_token_is_refused(client: FlaskClient, alice: Person, token: str) -> None:
    assert error_of(ask(client, token), 401)["code"] == "TOKEN_INVALID"


def test_a_token_of_another_users_login_is_refused(client: FlaskClient, forger: Forger) -> None:
    assert error_of(ask(client, forger.make(sub=str(uuid4()))), 401)["code"] == "TOKEN_REVOKED"


def test_a_token_dies_with_its_login_and_with_its_account(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    with database.transaction() as session:
        session.execute(update(LoginSession).values(expires_at=func.now() - timedelta(seconds=1)))
    assert error_of(ask(client, alice.access_token), 401)["code"] == "TOKEN_REVOKED"
    with database.transaction() as session:
        session.execute(delete(LoginSession).where(LoginSession.user_id == alice.user.id))
    assert error_of(ask(client, alice.access_token), 401)["code"] == "TOKEN_REVOKED"


def test_what_a_token_is_good_for_follows_the_roles_of_the_moment(
    client: FlaskClient, app: Flask, alice: Person, database: Database
) -> None:
    bob = make_person(app, database, "bob")
    verified = data_of(client.get("/api/v1/auth/verify", headers=bob.headers))
    assert (verified["active"], verified["subject"]) == (True, str(bob.user.id))
    assert "workspaces:delete" in verified["scopes"]
    with database.transaction() as session:
        session.execute(update(Membership).where(Membership.user_id == bob.user.id).values(role="viewer"))
    scopes = data_of(client.get("/api/v1/auth/verify", headers=bob.headers))["scopes"]
    assert "workspaces:read" in scopes
    assert {scope for scope in scopes if not scope.endswith(":read")} == {
        "account:write",
        "keys:write",
        "organizations:create",
    }


def test_an_administrators_token_is_good_for_everything(client: FlaskClient, app: Flask, database: Database) -> None:
    admin = make_person(app, database, "root-admin", role="admin")
    assert "platform:administer" in data_of(client.get("/api/v1/auth/verify", headers=admin.headers))["scopes"]


@pytest.fixture
def rotating(app: Flask) -> Iterator[None]:
    """Let the application forget the keys it came to know: those made in a test go with it."""
    yield
    app.extensions[RING] = KeyRing(app.extensions["headrace"].database, app.extensions["headrace"].vault)


@pytest.mark.usefixtures("rotating")
def test_a_new_key_is_published_first_then_signs_and_the_old_tokens_stay_good(
    client: FlaskClient, alice: Person, database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        kid = add_signing_key(session, Vault(settings.secret_key))
    assert kid in {key["kid"] for key in client.get("/.well-known/jwks.json").get_json()["keys"]}
    assert KeyRing(database, Vault(settings.secret_key)).signer().kid != kid
    with database.transaction() as session:
        session.execute(update(SigningKey).values(created_at=SigningKey.created_at - timedelta(seconds=31)))
    ring = KeyRing(database, Vault(settings.secret_key))
    assert ring.signer().kid == kid
    assert ring.public_key(jwt.get_unverified_header(alice.access_token)["kid"]) is not None
    assert data_of(ask(client, alice.access_token))["username"] == "alice"


@pytest.mark.usefixtures("rotating")
def test_a_superseded_key_is_retired_when_no_token_needs_it(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        kid = add_signing_key(session, Vault(settings.secret_key))
        assert retire_superseded_keys(session, 900) == 0
        session.execute(update(SigningKey).values(created_at=SigningKey.created_at - timedelta(hours=1)))
        assert retire_superseded_keys(session, 900) == 1
        assert retire_superseded_keys(session, 900) == 0
        assert session.scalars(select(SigningKey.kid).where(SigningKey.retired_at.is_(None))).all() == [kid]


@pytest.mark.usefixtures("rotating")
def test_a_retired_key_is_neither_published_nor_believed(
    client: FlaskClient, database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        kid = add_signing_key(session, Vault(settings.secret_key))
        session.execute(update(SigningKey).where(SigningKey.kid == kid).values(retired_at=func.now()))
    ring = KeyRing(database, Vault(settings.secret_key))
    assert ring.public_key(kid) is None
    assert ring.signer().kid != kid
    assert kid not in {key["kid"] for key in client.get("/.well-known/jwks.json").get_json()["keys"]}


def test_the_private_keys_are_sealed_to_their_rows(database: Database, settings: Settings) -> None:
    private = KeyRing(database, Vault(settings.secret_key)).signer().private_key.private_bytes_raw()
    with database.transaction() as session:
        rows = session.scalars(select(SigningKey)).all()
    assert rows
    assert not any(private in row.sealed_private_key for row in rows)


def test_a_login_id_is_a_uuid_of_its_own(alice: Person) -> None:
    claims = jwt.decode(alice.access_token, options={"verify_signature": False})
    assert UUID(claims["sid"]) == alice.session_id
    assert set(claims) == {"fresh", "iat", "nbf", "exp", "jti", "type", "sub", "sid", "iss", "aud"}
