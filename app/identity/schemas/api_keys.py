"""Wire forms of keys."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.identity.permissions import NOT_FOR_KEYS, PERMISSIONS
from app.identity.schemas.accounts import printable

SCOPES = sorted(PERMISSIONS - NOT_FOR_KEYS)


def _name(**kwargs: Any) -> fields.String:
    return fields.String(
        validate=[validate.Length(min=1, max=100), printable], metadata={"example": "deployment"}, **kwargs
    )


def _scopes(**kwargs: Any) -> fields.List[Any]:
    known = validate.OneOf(SCOPES, error="Is not a permission that keys can carry; see GET /permissions.")
    return fields.List(
        fields.String(validate=known, metadata={"example": "executions:run"}),
        validate=validate.Length(min=1, max=len(SCOPES)),
        **kwargs,
    )


class ApiKeyChange(Schema):
    """What is changed of a key; fields that are left out stay."""

    name = _name()
    scopes = _scopes()
    expires_at = Timestamp(allow_none=True)


class ApiKeyReplacement(ApiKeyChange):
    """A key, or what makes one; without an end it works until it is revoked."""

    name = _name(required=True)
    scopes = _scopes(required=True)
    expires_at = Timestamp(load_default=None, allow_none=True)


class ApiKey(Schema):
    """A key, without its text."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "How the text begins, to know it again"})
    organization_id = fields.UUID(required=True, allow_none=True)
    created_by = fields.UUID(required=True, metadata={"description": "For whom it acts"})
    scopes = fields.List(fields.String(), required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    last_used_at = Timestamp(required=True, allow_none=True, metadata={"description": "To the minute"})
    last_used_ip = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ApiKeyShown(ApiKey):
    """A key with its text, this one time."""

    key = fields.String(required=True, metadata={"description": "Send as `Authorization: Bearer …` or `X-API-Key`"})


class ApiKeyFilters(Schema):
    """What the list of keys can be narrowed by."""

    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In the name"})
