"""Wire forms of permissions, roles and who holds them."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.http import Schema, Timestamp
from app.identity.permissions import CLUSTER, GRANTABLE, NAMESPACE, OWN_ROLE_SCOPES, PLATFORM
from app.identity.schemas.accounts import printable, printable_lines

LONGEST_NAMESPACE = 63


class Permission(Schema):
    """Something that can be permitted."""

    name = fields.String(required=True, metadata={"example": "executions:run"})
    area = fields.String(required=True)
    verb = fields.String(required=True)
    grantable = fields.Boolean(required=True, metadata={"description": "Whether own roles may hold it"})
    roles = fields.List(fields.String(), required=True, metadata={"description": "The built-in roles that hold it"})


def _name(**kwargs: Any) -> fields.String:
    return fields.String(
        validate=[
            validate.Length(min=1, max=63),
            validate.Regexp(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", error="Must be a-z, 0-9 and single dashes."),
        ],
        metadata={"example": "release-manager"},
        **kwargs,
    )


def _description(**kwargs: Any) -> fields.String:
    return fields.String(allow_none=True, validate=[validate.Length(max=500), printable_lines], **kwargs)


def _permissions(**kwargs: Any) -> fields.List[Any]:
    known = validate.OneOf(sorted(GRANTABLE), error="Is not a permission that roles can hold; see GET /permissions.")
    return fields.List(
        fields.String(validate=known, metadata={"example": "executions:run"}),
        validate=validate.Length(min=1, max=len(GRANTABLE)),
        **kwargs,
    )


class RoleChange(Schema):
    """What is changed of a role; fields that are left out stay."""

    name = _name()
    description = _description()
    permissions = _permissions()


class RoleReplacement(RoleChange):
    """A role, whole."""

    name = _name(required=True)
    description = _description(load_default=None)
    permissions = _permissions(required=True)


class RoleCreation(RoleReplacement):
    """What makes a role."""

    organization_id = fields.UUID(required=True)


class Role(Schema):
    """A named set of permissions."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    organization_id = fields.UUID(required=True, allow_none=True)
    is_built_in = fields.Boolean(required=True)
    scopes = fields.List(
        fields.String(validate=validate.OneOf([PLATFORM, *OWN_ROLE_SCOPES])),
        required=True,
        metadata={"description": "The kinds of places it is given in"},
    )
    permissions = fields.List(fields.String(), required=True, attribute="permissions_sorted")
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class RoleFilters(Schema):
    """What the list of roles can be narrowed by."""

    organization_id = fields.UUID()
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In the name"})


class Scope(Schema):
    """A place in which a role is held."""

    type = fields.String(required=True, validate=validate.OneOf(OWN_ROLE_SCOPES))
    id = fields.UUID(required=True, metadata={"description": "Of the place; for a namespace, of its cluster"})
    namespace = fields.String(
        load_default=None, allow_none=True, validate=[validate.Length(min=1, max=LONGEST_NAMESPACE), printable]
    )

    @validates_schema
    def check_namespace(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Refuse a namespace's scope without its name, and a name with another scope."""
        if (data.get("type") == NAMESPACE) != (data.get("namespace") is not None):
            raise ValidationError(f"Goes with the type {NAMESPACE}, beside the id of a {CLUSTER}.", "namespace")


class RoleGift(Schema):
    """What gives a role to a user."""

    role_id = fields.UUID(required=True)
    scope = fields.Nested(Scope, required=True)
    expires_at = Timestamp(load_default=None, allow_none=True)


class RoleAssignment(Schema):
    """A role that a user holds in a place."""

    id = fields.UUID(required=True)
    user_id = fields.UUID(required=True)
    role = fields.Nested(Role(only=["id", "name"]), required=True)
    organization_id = fields.UUID(required=True)
    scope = fields.Nested(Scope, required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
