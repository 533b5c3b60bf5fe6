"""Wire forms of organizations."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.tenancy.models import PLANS
from app.tenancy.schemas.fields import description_field, name_field, slug_field


class OrganizationCreation(Schema):
    """What makes an organization."""

    name = name_field(required=True)
    slug = slug_field()
    description = description_field()


class OrganizationChange(Schema):
    """What is changed of an organization; fields that are left out stay."""

    name = name_field()
    slug = slug_field()
    description = description_field()


class OrganizationReplacement(OrganizationChange):
    """An organization, whole; the slug stays when it is left out."""

    name = name_field(required=True)
    description = description_field(load_default=None)


class Organization(Schema):
    """An organization."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    slug = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    owner_id = fields.UUID(required=True)
    is_personal = fields.Boolean(required=True)
    plan = fields.String(required=True, validate=validate.OneOf(PLANS))
    member_count = fields.Integer(required=True)
    workspace_count = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class OrganizationPlan(Schema):
    """The plan of an organization."""

    plan = fields.String(
        required=True,
        validate=validate.OneOf(PLANS),
        metadata={"description": "Says, among others, how many of its jobs may be with the workers of a queue at once"},
    )


class OrganizationFilters(Schema):
    """What the list of organizations can be narrowed by."""

    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In name or slug"})
