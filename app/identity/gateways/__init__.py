"""The providers at which people log in, as far as identity speaks to them: over HTTP, with no transaction open."""

from __future__ import annotations

from app.identity.gateways.base import Profile, Provider, ProviderSettings
from app.identity.gateways.github import GitHub
from app.identity.gateways.openid import OpenIdProvider


def open_provider(settings: ProviderSettings) -> Provider:
    """Return a provider as its settings describe it: GitHub by its own protocol, all others by OpenID Connect."""
    return GitHub(settings) if settings.kind == "github" else OpenIdProvider(settings)


__all__ = ["Profile", "Provider", "ProviderSettings", "open_provider"]
