"""Who has an account at the provider, and what it tells of them."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

CLAIMS: dict[str, dict[str, Any]] = {}
"""What is claimed of somebody, by their subject, which is their name at the provider too."""


class Validator(OAuth2Validator):
    """Puts what is claimed into id tokens."""

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Return the claims of who has logged in."""
        subject = request.user.get_username()
        return {"sub": subject, **CLAIMS[subject]}
