"""Wire forms of how clusters fare."""

from __future__ import annotations

from marshmallow import fields, validate

from app.clusters.models import STATUSES
from app.clusters.schemas.inventory import InventorySchema
from app.http import Schema, Timestamp

STEPS = "`name`, `connect`, `tls`, `answer`, `authentication`, `authorization`, `protocol`"


class CheckSchema(Schema):
    """What one check found."""

    at = Timestamp(required=True)
    healthy = fields.Boolean(required=True)
    latency_ms = fields.Float(required=True, allow_none=True)
    step = fields.String(required=True, allow_none=True, metadata={"description": f"Where it failed: {STEPS}"})
    code = fields.String(required=True, allow_none=True, metadata={"example": "CLUSTER_UNREACHABLE"})
    message = fields.String(required=True, allow_none=True)


class HealthSchema(Schema):
    """How a cluster fares, by its newest check and inventory; no cluster is asked for it."""

    cluster_id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    healthy = fields.Boolean(required=True)
    version = fields.String(required=True, allow_none=True)
    checked_at = Timestamp(required=True, allow_none=True)
    answered_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it was last well"})
    latency_ms = fields.Float(required=True, allow_none=True)
    failures = fields.Integer(required=True, metadata={"description": "Checks that failed in a row"})
    step = fields.String(required=True, allow_none=True, metadata={"description": f"Where it failed: {STEPS}"})
    code = fields.String(required=True, allow_none=True)
    message = fields.String(required=True, allow_none=True)
    node_count = fields.Integer(required=True, allow_none=True)
    ready_nodes = fields.Integer(required=True, allow_none=True)
    warnings = fields.List(fields.String(), required=True)
    next_check_at = Timestamp(required=True, allow_none=True)
    inventory = fields.List(fields.Nested(InventorySchema), required=True)
    recent = fields.List(
        fields.Nested(CheckSchema), required=True, metadata={"description": "The newest checks, newest first"}
    )
