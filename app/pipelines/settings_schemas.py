"""Wire forms of the settings of a workspace's pipelines, and of badges."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.pipelines.models.settings import PROVIDERS
from app.pipelines.schemas import BRANCH

HTTP_ADDRESS = validate.And(
    validate.Length(max=2048), validate.Regexp(r"^https?://", error="must begin with https:// or http://")
)


class SettingsChangeSchema(Schema):
    """Settings to change."""

    report_status = fields.String(
        allow_none=True,
        validate=validate.OneOf(PROVIDERS),
        metadata={"description": "the kind of the repository's host, to be told how commits fare; null tells nobody"},
    )
    status_api_url = fields.String(
        allow_none=True,
        validate=HTTP_ADDRESS,
        metadata={"description": "where that host's API begins; by default what follows from the repository's address"},
    )
    badge_public = fields.Boolean(metadata={"description": "whether everybody sees the badges of the pipelines"})


class SettingsReplacementSchema(SettingsChangeSchema):
    """All settings anew."""

    report_status = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(PROVIDERS))
    status_api_url = fields.String(load_default=None, allow_none=True, validate=HTTP_ADDRESS)
    badge_public = fields.Boolean(load_default=False)


class SettingsSchema(SettingsChangeSchema):
    """The settings of a workspace's pipelines."""

    updated_at = Timestamp(allow_none=True)


class BadgeQuerySchema(Schema):
    """Which badge to draw."""

    branch = fields.String(
        load_default=None, validate=BRANCH, metadata={"description": "the workspace's branch when it is left out"}
    )
