"""Wire forms of providers."""

from __future__ import annotations

from marshmallow import fields

from app.http import Schema


class ProviderFieldSchema(Schema):
    """Something that a provider has to be told."""

    name = fields.String(required=True)
    type = fields.String(required=True, metadata={"description": "`string`, `integer`, `uuid`, `list` or `groups`"})
    description = fields.String(required=True)
    required = fields.Boolean(required=True)
    secret = fields.Boolean(required=True, metadata={"description": "Goes into `credentials`, and never comes back"})
    pattern = fields.String(required=True, allow_none=True, metadata={"description": "A regular expression"})
    example = fields.Raw(required=True, allow_none=True)


class ProviderSchema(Schema):
    """A provider of clusters."""

    name = fields.String(required=True, metadata={"example": "eks"})
    description = fields.String(required=True)
    managed = fields.Boolean(required=True, metadata={"description": "Makes clusters, and takes them away"})
    usable = fields.Boolean(required=True)
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why it cannot be used here"})
    fields_ = fields.List(fields.Nested(ProviderFieldSchema), required=True, attribute="fields", data_key="fields")
