"""What a provider is: it sends people back with a code, and tells for the code who they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError

from app.identity.errors import ProviderAway, ProviderRefused

SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How a provider is reached, and as which client."""

    name: str
    kind: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What ties the answer of a provider to the login it was asked for: the verifier of PKCE (RFC 7636) and the nonce
    of the id token."""

    verifier: str | None
    nonce: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """Who somebody is at a provider; `subject` stays when name and address change."""

    subject: str
    email: str
    email_verified: bool
    name: str


class Provider(Protocol):
    """A provider. Its methods speak to it, and raise ProviderAway or ProviderRefused."""

    def authorization_url(self, redirect_uri: str, state: str, secrets: Secrets) -> str:
        """Return where a browser is sent to log in."""

    def exchange(self, code: str, redirect_uri: str, secrets: Secrets) -> Profile:
        """Return whose login a code stands for."""

    def read_id_token(self, id_token: str, nonce: str | None) -> Profile:
        """Return whom an id token names that an application has got for itself."""


def client_of(settings: ProviderSettings, redirect_uri: str, scope: str) -> OAuth2Session:
    """Return an OAuth client (RFC 6749) that uses PKCE with S256; a public one where there is no secret."""
    return OAuth2Session(
        settings.client_id,
        settings.client_secret,
        scope=scope,
        redirect_uri=redirect_uri,
        token_endpoint_auth_method="client_secret_basic" if settings.client_secret else "none",
        code_challenge_method="S256",
    )


def fetch_json(url: str, token: str = "") -> Any:
    """Return the JSON at an address; call it within `naming_faults`."""
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    reply = requests.get(url, headers=headers, timeout=SECONDS, allow_redirects=False)
    reply.raise_for_status()
    return reply.json()


@contextmanager
def naming_faults() -> Iterator[None]:
    """Raise ProviderAway for what passes, ProviderRefused for answers that cannot be believed. Neither repeats what the
    provider said: it may hold codes and tokens."""
    try:
        yield
    except (AuthlibBaseError, JoseError) as error:
        raise ProviderRefused from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise ProviderAway from error
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code >= 500:
            raise ProviderAway from error
        raise ProviderRefused from error
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        raise ProviderRefused from error
