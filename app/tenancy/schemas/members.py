"""Wire forms of members."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.http import Schema, Timestamp

WORKSPACE_ROLES = ("admin", "editor", "viewer")


class Member(Schema):
    """Somebody who has a part in a workspace or an organization."""

    user_id = fields.UUID(required=True)
    username = fields.String(required=True, attribute="user.username")
    display_name = fields.String(required=True, allow_none=True, attribute="user.display_name")
    email = fields.String(required=True, attribute="user.email")
    created_at = Timestamp(required=True, metadata={"description": "Since when"})


class WorkspaceMember(Member):
    """A member of a workspace."""

    role = fields.String(required=True, validate=validate.OneOf(WORKSPACE_ROLES), attribute="short_role")
    expires_at = Timestamp(required=True, allow_none=True)


class WorkspaceRole(Schema):
    """What a member of a workspace is to be."""

    role = fields.String(required=True, validate=validate.OneOf(WORKSPACE_ROLES), metadata={"example": "editor"})


class WorkspaceMemberAddition(WorkspaceRole):
    """Who is let into a workspace, and as what."""

    user_id = fields.UUID()
    email = fields.String(validate=validate.Length(min=3, max=254), metadata={"example": "bob@example.com"})
    expires_at = Timestamp(load_default=None, allow_none=True)

    @validates_schema
    def check_one_name(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Refuse both names, and none."""
        if ("user_id" in data) == ("email" in data):
            raise ValidationError("Give either `user_id` or `email`.", "user_id")
