"""Which providers people may log in at, as the settings name them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from app.identity.gateways import ProviderSettings

KNOWN: Final = {"github": "https://github.com", "google": "https://accounts.google.com"}
RESERVED: Final = frozenset(
    {"login", "register", "refresh", "logout", "me", "verify", "sessions", "mfa", "security-log"}
)
FIELDS: Final = {"client_id", "client_secret", "issuer"}

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def read_providers(text: str, *, allow_http: bool) -> dict[str, ProviderSettings]:
    """Return the providers of a setting such as `{"github": {"client_id": "…", "client_secret": "…"}}`, by name.

    Raises ValueError, which shows no value. With `allow_http` an issuer need not be an `https://` address.
    """
    try:
        said = json.loads(text or "{}")
    except ValueError:
        raise ValueError("OAUTH_PROVIDERS is not JSON") from None
    if not isinstance(said, Mapping):
        raise ValueError("OAUTH_PROVIDERS is not a JSON object")
    return {name: _read(name, about, allow_http=allow_http) for name, about in said.items()}


def _read(name: str, about: Any, *, allow_http: bool) -> ProviderSettings:
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"OAUTH_PROVIDERS: {name!r} is no name for a provider")
    if (
        not isinstance(about, Mapping)
        or set(about) - FIELDS
        or not all(isinstance(value, str) for value in about.values())
    ):
        raise ValueError(f"OAUTH_PROVIDERS: {name} takes the texts {', '.join(sorted(FIELDS))}")
    issuer = about.get("issuer") or KNOWN.get(name, "")
    if not issuer.startswith(("https://", "http://") if allow_http else "https://"):
        raise ValueError(f"OAUTH_PROVIDERS: {name} needs an https:// address as its issuer")
    if not about.get("client_id"):
        raise ValueError(f"OAUTH_PROVIDERS: {name} needs a client_id")
    kind = "github" if name == "github" else "openid"
    return ProviderSettings(name, kind, issuer, about["client_id"], about.get("client_secret", ""))
