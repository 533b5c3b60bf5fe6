"""Wire forms of what keeps an account safe."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
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
