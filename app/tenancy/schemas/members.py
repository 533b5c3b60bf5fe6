"""Wire forms of members."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.http import Schema, Timestamp
from app.identity import ADMIN, MEMBER, ORGANIZATION_ROLES, VIEWER

INVITED_ROLES = (ADMIN, MEMBER, VIEWER)
WORKSPACE_ROLES = ("admin", "editor", "viewer")


class Member(Schema):
    """Somebody who has a part in a workspace or an organization."""

    user_id = fields.UUID(required=True)
    username = fields.String(required=True, attribute="user.username")
    display_name = fields.String(required=True, allow_none=True, attribute="user.display_name")
    email = fields.String(required=True, attribute="user.email")
    created_at = Timestamp(required=True, metadata={"description": "Since when"})


class OrganizationMember(Member):
    """A member of an organization."""

    role = fields.String(required=True, validate=validate.OneOf(ORGANIZATION_ROLES))


class OrganizationRole(Schema):
    """What a member of an organization is to be; `owner` transfers the organization."""

    role = fields.String(required=True, validate=validate.OneOf(ORGANIZATION_ROLES), metadata={"example": "member"})


class OrganizationMemberFilters(Schema):
    """What the list of members can be narrowed by."""

    role = fields.String(validate=validate.OneOf(ORGANIZATION_ROLES))
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In name or address"})


class InvitationCreation(Schema):
    """Whom to invite, and as what."""

    email = fields.Email(required=True, validate=validate.Length(max=254), metadata={"example": "bob@example.com"})
    role = fields.String(required=True, validate=validate.OneOf(INVITED_ROLES), metadata={"example": "member"})


class Invitation(Schema):
    """An address that is invited to an organization."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    email = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf(INVITED_ROLES))
    invited_by = fields.UUID(required=True)
    expires_at = Timestamp(required=True)
    created_at = Timestamp(required=True)


class InvitationShown(Invitation):
    """An invitation with its token, this one time."""

    token = fields.String(required=True, metadata={"description": "Lets the invited address in, once"})


class Joined(OrganizationMember):
    """The caller as a member of an organization."""

    organization_id = fields.UUID(required=True)


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
