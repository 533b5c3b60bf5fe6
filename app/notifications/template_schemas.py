"""Wire forms of templates."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp

_NAME = validate.Regexp(r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}\Z")


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
    subject = fields.String(
        required=True, validate=validate.Length(1, 1000), metadata={"example": "Order {{ number }}"}
    )
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
