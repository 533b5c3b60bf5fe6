"""Wire forms of what keeps an account safe."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.identity.schemas.accounts import email_field, password_field
from app.identity.security_log import EVENT_TYPES


class Revoked(Schema):
    """What was ended."""

    revoked = fields.Integer(required=True, metadata={"description": "How many logins have ended"})


class SecurityEvent(Schema):
    """Something that has happened to an account."""

    id = fields.UUID(required=True)
    type = fields.String(required=True, validate=validate.OneOf(EVENT_TYPES))
    ip_address = fields.String(required=True, allow_none=True)
    device = fields.String(required=True, allow_none=True, attribute="user_agent")
    details = fields.Dict(required=True, metadata={"description": "What else there is to know, by the type"})
    created_at = Timestamp(required=True)


class SecurityFilters(Schema):
    """Which events."""

    type = fields.String(validate=validate.OneOf(EVENT_TYPES))


class Message(Schema):
    """What was done, in words."""

    message = fields.String(required=True)


class MailedToken(Schema):
    """The token of a mail."""

    token = fields.String(required=True, load_only=True, validate=validate.Length(min=1, max=256))


class Forgotten(Schema):
    """Whose password was forgotten."""

    email = email_field(required=True)


class PasswordReset(MailedToken):
    """A new password, and the token of the mail."""

    new_password = password_field()
