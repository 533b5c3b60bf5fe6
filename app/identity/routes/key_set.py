"""The public keys that verify access tokens."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from app.http import Blueprint, public, transaction
from app.identity.keys import published_keys

keys = Blueprint("keys", description="The keys that access tokens are signed with", url_prefix="")


@keys.route("/.well-known/jwks.json")
class KeySet(MethodView):
    """The public keys."""

    @keys.raw("application/jwk-set+json")
    @public
    def get(self) -> dict[str, Any]:
        """The keys that verify access tokens, as a JSON Web Key Set"""
        with transaction() as session:
            return published_keys(session)
