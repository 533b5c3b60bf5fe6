"""GitHub, which has OAuth and an API instead of id tokens; also a GitHub Enterprise Server, at its own address."""

from __future__ import annotations

from typing import Final

from app.identity.errors import ProviderRefused
from app.identity.gateways.base import (
    SECONDS,
    Profile,
    ProviderSettings,
    Secrets,
    client_of,
    fetch_json,
    naming_faults,
)

PUBLIC: Final = "https://github.com"
PUBLIC_API: Final = "https://api.github.com"
SCOPE: Final = "read:user user:email"


class GitHub:
    """GitHub. The account's primary address counts, if GitHub has verified it."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._site = settings.issuer.rstrip("/")
        self._api = PUBLIC_API if self._site == PUBLIC else f"{self._site}/api/v3"

    def authorization_url(self, redirect_uri: str, state: str, secrets: Secrets) -> str:
        """Return where a browser is sent to log in."""
        client = client_of(self._settings, redirect_uri, SCOPE)
        endpoint = f"{self._site}/login/oauth/authorize"
        url, _ = client.create_authorization_url(endpoint, state=state, code_verifier=secrets.verifier)
        return str(url)

    def exchange(self, code: str, redirect_uri: str, secrets: Secrets) -> Profile:
        """Return whose login a code stands for."""
        with naming_faults():
            token = client_of(self._settings, redirect_uri, SCOPE).fetch_token(
                f"{self._site}/login/oauth/access_token",
                code=code,
                code_verifier=secrets.verifier,
                headers={"Accept": "application/json"},
                timeout=SECONDS,
            )["access_token"]
            user = fetch_json(f"{self._api}/user", token)
            addresses = fetch_json(f"{self._api}/user/emails", token)
            primary = next((one for one in addresses if one["primary"]), {"email": "", "verified": False})
            return Profile(str(user["id"]), str(primary["email"]), primary["verified"] is True, str(user["login"]))

    def read_id_token(self, id_token: str, nonce: str | None) -> Profile:  # noqa: ARG002 - a provider's
        """Raise ProviderRefused: there are none."""
        raise ProviderRefused("GitHub has no id tokens; send a code.")
