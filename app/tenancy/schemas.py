"""Wire forms of organizations and workspaces."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.http import Schema, Timestamp
from app.tenancy.models import PLANS, WORKSPACE_STATUSES
from app.tenancy.slugs import LONGEST_SLUG


def _printable(text: str) -> None:
    if not text.isprintable() or not text.strip():
        raise ValidationError("Must not be blank or contain control characters.")


def _printable_lines(text: str) -> None:
    if not "".join(text.splitlines()).replace("\t", " ").isprintable():
        raise ValidationError("Must not contain control characters.")


def _name(**kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(min=1, max=100), _printable], **kwargs)


def _slug() -> fields.String:
    return fields.String(
        validate=[
            validate.Length(min=1, max=LONGEST_SLUG),
            validate.Regexp(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", error="Must be a-z, 0-9 and single dashes."),
        ],
        metadata={"description": "Made from the name unless given", "example": "web-shop"},
    )


def _description(**kwargs: Any) -> fields.String:
    return fields.String(allow_none=True, validate=[validate.Length(max=2000), _printable_lines], **kwargs)


def _repository_url(**kwargs: Any) -> fields.String:
    return fields.String(
        allow_none=True,
        metadata={
            "description": "`https`, `http` or `ssh` address, or `user@host:path`; never with credentials in it",
            "example": "https://git.example.com/team/shop.git",
        },
        **kwargs,
    )


def _plan(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(PLANS), **kwargs)


def _status(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(WORKSPACE_STATUSES), **kwargs)


class OrganizationCreation(Schema):
    """What makes an organization."""

    name = _name(required=True)
    slug = _slug()
    description = _description()


class Organization(Schema):
    """An organization."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    slug = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    owner_id = fields.UUID(required=True)
    is_personal = fields.Boolean(required=True)
    member_count = fields.Integer(required=True)
    workspace_count = fields.Integer(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class OrganizationFilters(Schema):
    """What the list of organizations can be narrowed by."""

    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In name or slug"})


class WorkspaceChange(Schema):
    """What is changed of a workspace; fields that are left out stay."""

    name = _name()
    slug = _slug()
    description = _description()
    plan = _plan()
    status = _status()
    repository_url = _repository_url()
    branch = fields.String(metadata={"example": "main"})


class WorkspaceReplacement(WorkspaceChange):
    """A workspace, whole; fields that are left out take their defaults, and the slug stays."""

    name = _name(required=True)
    description = _description(load_default=None)
    plan = _plan(load_default="standard")
    status = _status(load_default="active")
    repository_url = _repository_url(load_default=None)
    branch = fields.String(load_default="main")


class WorkspaceInOrganization(Schema):
    """What makes a workspace in an organization that the path names."""

    name = _name(required=True)
    slug = _slug()
    description = _description()
    plan = _plan()
    repository_url = _repository_url()
    branch = fields.String(metadata={"description": "`main` unless given", "example": "main"})


class WorkspaceCreation(WorkspaceInOrganization):
    """What makes a workspace."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class Workspace(Schema):
    """A workspace."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    slug = fields.String(required=True)
    organization_id = fields.UUID(required=True)
    owner_id = fields.UUID(required=True)
    plan = fields.String(required=True)
    status = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    repository_url = fields.String(required=True, allow_none=True)
    branch = fields.String(required=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class WorkspaceDetail(Workspace):
    """A workspace, and what goes on in it."""

    pipelines_count = fields.Integer(required=True, attribute="activity.pipelines_count")
    last_execution = Timestamp(
        required=True,
        allow_none=True,
        attribute="activity.last_execution",
        metadata={"description": "When the newest execution was asked for"},
    )


class WorkspaceFilters(Schema):
    """What the list of workspaces can be narrowed by."""

    status = fields.String(validate=validate.OneOf(WORKSPACE_STATUSES))
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In name or slug"})


class AllWorkspaceFilters(WorkspaceFilters):
    """What the list over all organizations can be narrowed by."""

    organization_id = fields.UUID()
