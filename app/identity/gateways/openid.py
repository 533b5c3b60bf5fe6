"""Providers of OpenID Connect: found by their issuer (OpenID Connect Discovery 1.0), believed by their signed id tokens
(OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import time
from threading import Lock
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from app.identity.errors import ProviderAway, ProviderRefused
from app.identity.gateways.base import (
    SECONDS,
    Profile,
    ProviderSettings,
    Secrets,
    client_of,
    fetch_json,
    naming_faults,
)

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures alone: neither `none` nor the client's secret as a key."""

SCOPE: Final = "openid email profile"
FRESH_SECONDS: Final = 600.0
PATIENCE_SECONDS: Final = 10.0
"""How long what was read is not read again for a key that is not in it, nor a provider asked that did not answer."""

LEEWAY_SECONDS: Final = 30
LONGEST_AGE: Final = 600
"""How old, in seconds, an id token may be that an application hands over."""


class OpenIdProvider:
    """A provider of OpenID Connect. What it publishes of itself is read again every ten minutes."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._read_at = float("-inf")
        self._failed_at = float("-inf")
        self._published: dict[str, Any] = {}
        self._keys = KeySet([])

    def authorization_url(self, redirect_uri: str, state: str, secrets: Secrets) -> str:
        """Return where a browser is sent to log in."""
        endpoint = self._read()["authorization_endpoint"]
        client = client_of(self._settings, redirect_uri, SCOPE)
        ties = {"code_verifier": secrets.verifier, "nonce": secrets.nonce}
        url, _ = client.create_authorization_url(endpoint, state=state, **ties)
        return str(url)

    def exchange(self, code: str, redirect_uri: str, secrets: Secrets) -> Profile:
        """Return whose login a code stands for, by the id token that the provider gives for it."""
        endpoint = self._read()["token_endpoint"]
        with naming_faults():
            client = client_of(self._settings, redirect_uri, SCOPE)
            token = client.fetch_token(endpoint, code=code, code_verifier=secrets.verifier, timeout=SECONDS)
            id_token = str(token["id_token"])
        return self._believe(id_token, secrets.nonce, access_token=token.get("access_token"))

    def read_id_token(self, id_token: str, nonce: str | None) -> Profile:
        """Return whom a fresh id token names that was made for us."""
        self._read()
        return self._believe(id_token, nonce, longest_age=LONGEST_AGE)

    def _believe(
        self, id_token: str, nonce: str | None, *, access_token: str | None = None, longest_age: int | None = None
    ) -> Profile:
        with naming_faults():
            token = self._verify(id_token)
            expected = {"iss": {"essential": True, "value": self._settings.issuer}}
            params = {"client_id": self._settings.client_id, "nonce": nonce, "access_token": access_token}
            claims = CodeIDToken(token.claims, token.header, expected, params)
            claims.validate(leeway=LEEWAY_SECONDS)
            self._check_audience(token.claims)
            if longest_age is not None and token.claims["iat"] < time.time() - longest_age:
                raise ProviderRefused("This id token is too old.")
            return _profile(token.claims)

    def _verify(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            # The provider may have changed its keys.
            self._read(PATIENCE_SECONDS)
            return jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)

    def _check_audience(self, claims: dict[str, Any]) -> None:
        audience = claims["aud"]
        if self._settings.client_id not in ([audience] if isinstance(audience, str) else audience):
            raise ProviderRefused("This id token was made for somebody else.")

    def _read(self, fresh: float = FRESH_SECONDS) -> dict[str, Any]:
        """Return what the provider publishes of itself, with its keys read."""
        if not self._lock.acquire(timeout=SECONDS):
            raise ProviderAway
        try:
            if time.monotonic() - self._read_at > fresh:
                self._read_anew()
            return self._published
        finally:
            self._lock.release()

    def _read_anew(self) -> None:
        """Ask the provider; one that has just not answered is not asked, for each who asks waits."""
        if time.monotonic() - self._failed_at < PATIENCE_SECONDS:
            raise ProviderAway
        issuer = self._settings.issuer
        try:
            with naming_faults():
                published = fetch_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if published["issuer"] != issuer:
                    raise ProviderRefused("The provider names another issuer than the settings do.")
                self._keys = KeySet.import_key_set(fetch_json(published["jwks_uri"]))
        except ProviderAway:
            self._failed_at = time.monotonic()
            raise
        self._published, self._read_at = published, time.monotonic()


def _profile(claims: dict[str, Any]) -> Profile:
    name = claims.get("preferred_username") or claims.get("name") or ""
    # Some providers write the truth of an address as text.
    verified = claims.get("email_verified") in (True, "true")
    return Profile(str(claims["sub"]), str(claims.get("email") or ""), verified, str(name))
