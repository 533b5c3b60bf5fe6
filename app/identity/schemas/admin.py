"""Wire forms of the administration of accounts."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.identity.administration import STATUSES
from app.identity.permissions import ADMIN, USER
from app.identity.schemas.accounts import User as OwnUser

ROLES = (USER, ADMIN)


class ManagedUser(OwnUser):
    """An account, as administrators see it."""

    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    disabled_at = Timestamp(required=True, allow_none=True)


class UserFilters(Schema):
    """What the list of users can be narrowed by."""

    role = fields.String(validate=validate.OneOf(ROLES))
    email_verified = fields.Boolean()
    status = fields.String(validate=validate.OneOf(STATUSES))
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In name or address"})


class Confirmation(Schema):
    """That it is meant, where it is about the caller's own account."""

    confirm = fields.String(
        load_default=None,
        validate=validate.Length(max=50),
        metadata={"description": "The caller's username; needed for the caller's own account alone"},
    )


class RoleOnPlatform(Confirmation):
    """What a user is to be on the platform."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "user"})


class UserCounts(Schema):
    """How many users there are."""

    total_users = fields.Integer(required=True)
    verified_users = fields.Integer(required=True)
    admin_users = fields.Integer(required=True)
    disabled_users = fields.Integer(required=True)
