"""Wire forms of caches."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp


class CacheSchema(Schema):
    """A cache: files of a stage that later runs find again."""

    id = fields.UUID()
    key = fields.String()
    scope = fields.String(metadata={"description": "whose runs wrote it", "example": "branch:main"})
    size = fields.Integer(metadata={"description": "bytes kept"})
    files = fields.Integer()
    created_at = Timestamp()
    used_at = Timestamp(metadata={"description": "when a run last found it"})


class CacheFilterSchema(Schema):
    """Which caches."""

    key = fields.String(validate=validate.Length(1, 500), metadata={"description": "beginning of the key"})
    scope = fields.String(validate=validate.Length(1, 300), metadata={"example": "branch:main"})


class ForgottenSchema(Schema):
    """What was deleted."""

    deleted = fields.Integer()
