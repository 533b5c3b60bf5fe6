"""Wire forms of email providers and templates."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from app.http import Schema, Timestamp
from app.notifications.models import KINDS
from app.notifications.schemas import address, line

PORTS: Final = (25, 465, 587, 2525)
SECURITIES: Final = ("starttls", "tls", "none")
_NAME = validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}\Z")


class ProviderConfig(Schema):
    """How a provider is reached: `smtp`."""

    provider_type = fields.String(required=True, validate=validate.OneOf(KINDS), metadata={"example": "smtp"})
    host = line(253, required=True, metadata={"example": "smtp.example.com"})
    port = fields.Integer(load_default=587, validate=validate.Range(1, 65_535))
    security = fields.String(
        validate=validate.OneOf(SECURITIES), metadata={"description": "`tls` at port 465, else `starttls`, unless given"}
    )
    use_tls = fields.Boolean(load_only=True, metadata={"description": "The same as `security: starttls`"})
    use_ssl = fields.Boolean(load_only=True, metadata={"description": "The same as `security: tls`"})
    username = line(254, allow_none=True)
    password = fields.String(
        load_only=True, validate=validate.Length(1, 1000), metadata={"description": "Never comes back"}
    )

    @post_load
    def settle(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Say in one way how the connection is encrypted."""
        wrapped, upgraded = data.pop("use_ssl", None), data.pop("use_tls", None)
        guessed = "tls" if wrapped or (wrapped is None and data["port"] == 465) else "starttls"
        if upgraded is False and not wrapped:
            guessed = "none"
        return {"security": guessed, **data}

    @validates_schema
    def refuse_open_password(self, data: dict[str, Any], **_: Any) -> None:
        """A password goes over TLS alone."""
        if data.get("password") and data.get("security") == "none":
            raise ValidationError("A password is not sent without encryption.", "security")


class ProviderOrder(Schema):
    """A provider, and which mails go by it."""

    name = fields.String(load_default="default", validate=_NAME)
    provider_config = fields.Nested(ProviderConfig, required=True)
    default_from_email = address(required=True, metadata={"example": "shop@shop.example"})
    default_from_name = line(100, load_default=None, allow_none=True)
    is_primary = fields.Boolean(load_default=True, metadata={"description": "For mails to one"})
    is_bulk = fields.Boolean(load_default=True, metadata={"description": "For mails to many"})
    weight = fields.Integer(load_default=1, validate=validate.Range(1, 100))
    rate_limit_per_second = fields.Integer(load_default=10, validate=validate.Range(1, 1000))


class ProvidersOrder(Schema):
    """All providers there are to be; those that are not among them go."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    providers = fields.List(fields.Nested(ProviderOrder), required=True, validate=validate.Length(1, 10))


class ProviderSchema(Schema):
    """A provider, without what opens it."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    provider_type = fields.String(required=True, attribute="kind")
    config = fields.Dict(keys=fields.String(), required=True)
    default_from_email = fields.String(required=True)
    default_from_name = fields.String(required=True, allow_none=True)
    is_primary = fields.Boolean(required=True)
    is_bulk = fields.Boolean(required=True)
    weight = fields.Integer(required=True)
    rate_limit_per_second = fields.Integer(required=True)
    failures = fields.Integer(required=True, metadata={"description": "In a row"})
    open_until = Timestamp(required=True, allow_none=True, metadata={"description": "Until when it is left alone"})


class TemplateChange(Schema):
    """What is changed of a template; fields that are left out stay."""

    name = fields.String(validate=_NAME, metadata={"example": "order"})
    description = fields.String(allow_none=True, validate=validate.Length(max=500))
    subject = fields.String(validate=validate.Length(1, 1000), metadata={"example": "Order {{ number }}"})
    html = fields.String(allow_none=True, validate=validate.Length(1, 200_000))
    text = fields.String(allow_none=True, validate=validate.Length(1, 200_000))


class TemplateReplacement(TemplateChange):
    """A template, whole."""

    name = fields.String(required=True, validate=_NAME, metadata={"example": "order"})
    description = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=500))
    subject = fields.String(required=True, validate=validate.Length(1, 1000), metadata={"example": "Order {{ number }}"})
    html = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 200_000))
    text = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 200_000))


class TemplateRegistration(TemplateReplacement):
    """What makes a template."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class TemplateSchema(Schema):
    """A template."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True, allow_none=True)
    client_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True)
    html = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    variables = fields.List(fields.String(), required=True, metadata={"description": "Those that it needs"})
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class Preview(Schema):
    """What a template is filled with."""

    variables = fields.Dict(keys=fields.String(), load_default=dict, metadata={"example": {}})


class Previewed(Schema):
    """A template, filled."""

    subject = fields.String(required=True)
    html = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)


class OwnerQuery(Schema):
    """Whose."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class OwnerChoice(OwnerQuery):
    """Whose."""


class ValidationBegun(Schema):
    """Which providers are tried."""

    providers = fields.List(fields.String(), required=True)
