"""Wire forms of projects."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.http import Schema, Timestamp
from app.tenancy import quotas
from app.tenancy.models import PROJECT_ROLES
from app.tenancy.models.projects import PROJECT_STATUSES
from app.tenancy.names import DNS_LABEL, LONGEST, find_label_fault
from app.tenancy.schemas.fields import description_field, name_field
from app.tenancy.schemas.members import Member
from app.tenancy.schemas.provisioning import ProvisioningDetail

MOST_LABELS = 32


def _is_dns_label(name: str) -> None:
    if not DNS_LABEL.fullmatch(name):
        raise ValidationError(f"Must have 1 to {LONGEST} small letters, digits and dashes, and no dash at its ends.")


def _project_name(**kwargs: Any) -> fields.String:
    return fields.String(validate=_is_dns_label, metadata={"example": "frontend"}, **kwargs)


class Amount(fields.Field[str]):
    """An amount of a resource: a number, or a text such as `500m` or `4Gi`."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return value

    def _deserialize(self, value: Any, attr: str | None, *_: Any, **__: Any) -> str:
        fault = quotas.find_fault(attr or "", value)
        if fault:
            raise ValidationError(fault[0].upper() + fault[1:] + ".")
        return quotas.write_amount(attr or "", quotas.read_amount(value) or quotas.ZERO)


def _amount(example: str) -> Amount:
    return Amount(metadata={"type": ["string", "integer"], "example": example})


class ResourceQuota(Schema):
    """What a project may use, together with all projects below it. What is left out gets a small share."""

    cpu = _amount("2")
    memory = _amount("4Gi")
    storage = _amount("20Gi")
    pods = _amount("20")
    services = _amount("5")
    persistent_volume_claims = _amount("5")


def _labels(**kwargs: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        validate=_check_labels,
        metadata={"description": "Put on the project's namespace as well", "example": {"team": "web"}},
        **kwargs,
    )


def _check_labels(labels: dict[str, Any]) -> None:
    if len(labels) > MOST_LABELS:
        raise ValidationError(f"At most {MOST_LABELS} labels.")
    if fault := next(filter(None, (find_label_fault(key, value) for key, value in labels.items())), None):
        raise ValidationError(fault[0].upper() + fault[1:] + ".")


class SubprojectCreation(Schema):
    """What makes a project below another."""

    name = _project_name(required=True)
    display_name = name_field(allow_none=True)
    description = description_field()
    labels = _labels()
    resource_quota = fields.Nested(ResourceQuota)


class ProjectCreation(SubprojectCreation):
    """What makes a project."""

    parent_id = fields.UUID(allow_none=True, metadata={"description": "The project it is a part of"})


class ProjectChange(Schema):
    """What is changed of a project; fields that are left out stay, and so do amounts."""

    name = _project_name()
    display_name = name_field(allow_none=True)
    description = description_field()
    labels = _labels()
    resource_quota = fields.Nested(ResourceQuota)


class ProjectReplacement(ProjectChange):
    """A project, whole; its quota stays when it is left out."""

    name = _project_name(required=True)
    display_name = name_field(load_default=None, allow_none=True)
    description = description_field(load_default=None)
    labels = _labels(load_default=dict)


class Project(Schema):
    """A project."""

    id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    parent_id = fields.UUID(required=True, allow_none=True)
    depth = fields.Integer(required=True)
    name = fields.String(required=True)
    display_name = fields.String(required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    resource_quota = fields.Nested(ResourceQuota, required=True, attribute="quota")
    status = fields.String(required=True, validate=validate.OneOf(PROJECT_STATUSES))
    status_reason = fields.String(required=True, allow_none=True)
    namespace = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ProjectDetail(Project):
    """A project, and what was last done to it on its cluster."""

    provisioning = fields.Nested(ProvisioningDetail, required=True, allow_none=True)


class ProjectFilters(Schema):
    """What the list of projects can be narrowed by."""

    status = fields.String(validate=validate.OneOf(PROJECT_STATUSES))
    parent_id = fields.UUID()
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In its names"})


class Hierarchy(Schema):
    """A project with all below it."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    namespace = fields.String(required=True, allow_none=True)
    status = fields.String(required=True)
    resource_quota = fields.Nested(ResourceQuota, required=True)
    children = fields.List(fields.Nested(lambda: Hierarchy()), required=True)


class ProjectMember(Member):
    """A member of a project."""

    role = fields.String(required=True, validate=validate.OneOf(PROJECT_ROLES))


class ProjectRole(Schema):
    """What a member of a project is to be: `admin`, `edit` and `view` of its namespace."""

    role = fields.String(required=True, validate=validate.OneOf(PROJECT_ROLES), metadata={"example": "developer"})


class ProjectMemberAddition(ProjectRole):
    """Which member of the workspace becomes one of a project, and as what."""

    user_id = fields.UUID(required=True)
