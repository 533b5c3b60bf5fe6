"""Wire forms of logins at other providers."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.http import Schema
from app.identity.schemas.accounts import Delivery

_TEXT = validate.Length(min=1, max=2048)


class Begun(Schema):
    """A login at a provider, to go on in a browser."""

    provider = fields.String(required=True)
    auth_url = fields.String(required=True, metadata={"description": "Where the browser goes to log in"})
    state = fields.String(required=True)


class CameBack(Schema):
    """What a provider sends a browser back with."""

    code = fields.String(required=True, validate=_TEXT)
    state = fields.String(required=True, validate=_TEXT)
    scope = fields.String(validate=_TEXT)
    iss = fields.String(validate=_TEXT)
    session_state = fields.String(validate=_TEXT)
    authuser = fields.String(validate=_TEXT)
    prompt = fields.String(validate=_TEXT)
    hd = fields.String(validate=_TEXT)


class Exchange(Delivery):
    """Either an `id_token`, or a `code` with the `redirect_uri` it was sent to and the `code_verifier` of PKCE."""

    id_token = fields.String(load_only=True, validate=validate.Length(min=1, max=16_384))
    code = fields.String(load_only=True, validate=_TEXT)
    redirect_uri = fields.String(load_only=True, validate=_TEXT)
    code_verifier = fields.String(load_only=True, validate=validate.Length(min=43, max=128))
    nonce = fields.String(
        load_only=True, validate=_TEXT, metadata={"description": "What the application has asked the provider with"}
    )

    @validates_schema
    def check_one_proof(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Refuse both kinds of proof, none, and half of one."""
        if ("id_token" in data) == ("code" in data):
            raise ValidationError("Give either `id_token` or `code`.", "id_token")
        if "code" in data and "redirect_uri" not in data:
            raise ValidationError("Give the address that the code was sent to.", "redirect_uri")
