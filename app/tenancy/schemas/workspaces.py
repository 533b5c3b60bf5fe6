"""Wire forms of workspaces."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.tenancy.models import PLANS, SETTABLE, WORKSPACE_STATUSES
from app.tenancy.schemas.fields import description_field, name_field, slug_field
from app.tenancy.schemas.provisioning import (
    ProvisioningDetail,
    VirtualClusterDetail,
    cluster_field,
    isolation_field,
)


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
    return fields.String(
        validate=validate.OneOf(SETTABLE),
        metadata={"description": "Of a workspace without a cluster; one with a cluster is suspended and resumed"},
        **kwargs,
    )


class WorkspaceChange(Schema):
    """What is changed of a workspace; fields that are left out stay."""

    name = name_field()
    slug = slug_field()
    description = description_field()
    plan = _plan()
    status = _status()
    repository_url = _repository_url()
    branch = fields.String(metadata={"example": "main"})


class WorkspaceReplacement(WorkspaceChange):
    """A workspace, whole; fields that are left out take their defaults, and the slug stays."""

    name = name_field(required=True)
    description = description_field(load_default=None)
    plan = _plan(load_default="standard")
    status = _status(load_default="active")
    repository_url = _repository_url(load_default=None)
    branch = fields.String(load_default="main")


class WorkspaceInOrganization(Schema):
    """What makes a workspace in an organization that the path names."""

    name = name_field(required=True)
    slug = slug_field()
    description = description_field()
    plan = _plan()
    repository_url = _repository_url()
    branch = fields.String(metadata={"description": "`main` unless given", "example": "main"})
    cluster_id = cluster_field()
    isolation = isolation_field()


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
    status = fields.String(required=True, validate=validate.OneOf(WORKSPACE_STATUSES))
    status_reason = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it failed, where it has"}
    )
    cluster_id = fields.UUID(required=True, allow_none=True, attribute="host_id")
    isolation = fields.String(required=True, allow_none=True, metadata={"example": "namespace"})
    namespace = fields.String(required=True, allow_none=True)
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
    vcluster = fields.Nested(
        VirtualClusterDetail,
        required=True,
        allow_none=True,
        attribute="virtual",
        metadata={"description": "Once its control plane has answered"},
    )
    provisioning = fields.Nested(
        ProvisioningDetail,
        required=True,
        allow_none=True,
        metadata={"description": "What was last done to its place on its cluster"},
    )


class WorkspaceFilters(Schema):
    """What the list of workspaces can be narrowed by."""

    cluster_id = fields.UUID()
    status = fields.String(validate=validate.OneOf(WORKSPACE_STATUSES))
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In name or slug"})


class AllWorkspaceFilters(WorkspaceFilters):
    """What the list over all organizations can be narrowed by."""

    organization_id = fields.UUID()
