"""Wire forms of users as applications and administrators see them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.identity.permissions import CLIENT_USER_PERMISSIONS
from app.identity.schemas.accounts import email_field, printable, username_field
from app.identity.schemas.clients import ClientKey

NAMES = list(CLIENT_USER_PERMISSIONS)
USUAL = ["read_messages", "send_messages", "join_rooms"]


def _full_name(**kwargs: Any) -> fields.String:
    return fields.String(
        attribute="display_name",
        allow_none=True,
        validate=[validate.Length(max=100), printable],
        metadata={"example": "Alice Smith"},
        **kwargs,
    )


def _permissions(**kwargs: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.OneOf(NAMES)),
        attribute="client_permissions",
        validate=validate.Length(max=len(NAMES)),
        metadata={"description": "What the user may do in the application", "example": USUAL},
        **kwargs,
    )


class ClientUserChange(Schema):
    """What is changed of a user; fields that are left out stay. The last two take the application's own key."""

    email = email_field()
    username = username_field()
    full_name = _full_name()
    permissions = _permissions()
    is_active = fields.Boolean(metadata={"description": "Whether the user is let in; who is not loses their key"})


class ClientUserReplacement(ClientUserChange):
    """A user, whole; `permissions` and `is_active` stay when they are left out."""

    email = email_field(required=True)
    username = username_field(required=True)
    full_name = _full_name(load_default=None)


class ClientUserCreation(Schema):
    """What makes a user of the application."""

    email = email_field(required=True)
    username = username_field(required=True)
    full_name = _full_name(load_default=None)
    permissions = _permissions(load_default=lambda: list(USUAL))


class ClientUser(Schema):
    """A user of a client application, or, for administrators, an account, which has `client_id` null."""

    id = fields.UUID(required=True)
    client_id = fields.UUID(required=True, allow_none=True)
    username = fields.String(required=True)
    email = fields.String(required=True)
    full_name = fields.String(required=True, allow_none=True, attribute="display_name")
    permissions = fields.List(fields.String(), required=True, allow_none=True, attribute="client_permissions")
    is_active = fields.Boolean(required=True)
    key = fields.Nested(ClientKey, required=True, allow_none=True, metadata={"description": "The key that works"})
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    last_login_at = Timestamp(required=True, allow_none=True)


class ClientUserShown(ClientUser):
    """A user with the text of their key, this one time."""

    scoped_api_key = fields.String(
        required=True, metadata={"description": "For the user: send as `Authorization: Bearer …` or `X-API-Key`"}
    )


class ClientUserLogin(Schema):
    """Which user of the application logs in."""

    email = email_field(required=True)


class ClientUserLoggedIn(Schema):
    """A user with another key."""

    user = fields.Nested(ClientUser, required=True)
    scoped_api_key = fields.String(required=True, metadata={"description": "Shown this one time"})
    expires_at = Timestamp(required=True, metadata={"description": "When the key ends, unless another replaces it"})


class ClientUserFilters(Schema):
    """What the list of users can be narrowed by."""

    client_id = fields.UUID()
    is_active = fields.Boolean()
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In names and address"})
