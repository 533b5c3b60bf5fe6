"""Wire forms of the second factor."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema
from app.identity.schemas.accounts import Delivery, password_field


class State(Schema):
    """Whether there is a second factor."""

    enabled = fields.Boolean(required=True)
    recovery_codes_left = fields.Integer(required=True)


class Enrolment(Schema):
    """What an authenticator needs to know."""

    secret = fields.String(required=True, metadata={"description": "Base32, to be typed in"})
    uri = fields.String(required=True, metadata={"description": "`otpauth://…`, to be shown as a QR code"})


class EnrolmentRequest(Schema):
    """The proof that it is the account's owner who asks."""

    current_password = password_field(
        least=1, required=False, load_default=None, description="Needed by an account that has a password"
    )


class Code(Schema):
    """A code of six digits, or a recovery code."""

    code = fields.String(
        required=True, load_only=True, validate=validate.Length(min=6, max=32), metadata={"example": "123456"}
    )


class RecoveryCodes(Schema):
    """Codes that work once each, to be kept in a safe place."""

    recovery_codes = fields.List(fields.String(), required=True)


class Answer(Code, Delivery):
    """The code that a login waits for, with the `session_token` of the reply that asked for it."""

    session_token = fields.String(required=True, load_only=True, validate=validate.Length(min=1, max=256))
