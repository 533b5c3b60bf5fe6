"""Wire forms of the audit log."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.kernel.audit import REFUSED, SUCCEEDED

CHANGES = ("created", "updated", "deleted")


def _text(**metadata: str) -> fields.String:
    return fields.String(validate=validate.Length(min=1, max=200), metadata=metadata)


class AuditEntry(Schema):
    """Something that was done or refused."""

    id = fields.UUID(required=True)
    created_at = Timestamp(required=True, attribute="at")
    actor_id = fields.UUID(required=True, allow_none=True)
    actor = fields.String(required=True, allow_none=True, metadata={"description": "The username at that time"})
    key_id = fields.UUID(required=True, allow_none=True, metadata={"description": "Of the API key they came in by"})
    action = fields.String(required=True, metadata={"description": "The permission it takes"})
    operation = fields.String(required=True, metadata={"description": "Method and route"})
    outcome = fields.String(required=True, validate=validate.OneOf([SUCCEEDED, REFUSED]))
    code = fields.String(required=True, allow_none=True, metadata={"description": "Of the refusal"})
    resource_type = fields.String(required=True, allow_none=True)
    resource_id = fields.String(required=True, allow_none=True)
    organization_id = fields.UUID(required=True, allow_none=True)
    change = fields.String(required=True, allow_none=True, validate=validate.OneOf(CHANGES))
    changes = fields.Dict(
        keys=fields.String(), required=True, metadata={"description": "Of each field, what it was and what it is"}
    )
    address = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)
    request_id = fields.String(required=True, allow_none=True)
    count = fields.Integer(required=True, metadata={"description": "How many times it was refused within a minute"})


class OrganizationAuditFilters(Schema):
    """What an organization's part of the audit log can be narrowed by."""

    actor = _text(description="A username, or a user's id")
    action = _text(description="A permission, or an area such as `members`")
    resource_type = _text()
    resource_id = _text()
    outcome = fields.String(validate=validate.OneOf([SUCCEEDED, REFUSED]))
    start_date = fields.String(metadata={"description": "A date or a moment"})
    end_date = fields.String(metadata={"description": "A date, which is meant whole, or a moment"})


class AuditFilters(OrganizationAuditFilters):
    """What the audit log can be narrowed by."""

    organization_id = fields.UUID()


class OrganizationAuditExport(OrganizationAuditFilters):
    """Which entries of an organization to export, and how."""

    format = fields.String(load_default="ndjson", validate=validate.OneOf(["ndjson", "csv"]))


class AuditExport(OrganizationAuditExport):
    """Which entries to export, and how."""

    organization_id = fields.UUID()
