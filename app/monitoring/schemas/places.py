"""Wire forms of how clusters and workspaces fare."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Moment, Schema, Timestamp
from app.monitoring.models import SEVERITIES, STATUSES
from app.monitoring.places import LEVELS
from app.monitoring.schemas.metrics import PAIRS, PERIODS
from app.monitoring.usage import USAGES


class UsageArguments(Schema):
    """Which time, and what of it."""

    start = Moment(metadata={"description": "Epoch seconds or RFC 3339"})
    end = Moment(metadata={"description": "The same; now unless given"})
    period = fields.String(
        validate=validate.OneOf(sorted(PERIODS)), metadata={"description": "So long before `end`, instead of `start`"}
    )
    metric = fields.String(validate=validate.OneOf(USAGES), metadata={"description": "This one alone"})


def _figure(description: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": description})


class UsageSchema(Schema):
    """What is used over time; figures are missing where no series tell of it."""

    unit = fields.String(required=True, metadata={"example": "cores"})
    current = _figure("The newest value of the time")
    average = _figure("Of the time")
    peak = _figure("The highest of the time")
    percentile_95 = _figure("Of the time")
    capacity = _figure("Of how much")
    percent = _figure("`current` of `capacity`")
    points = fields.List(fields.List(fields.Float()), required=True, metadata=PAIRS)


class _OverTime(Schema):
    metrics = fields.Dict(
        keys=fields.String(validate=validate.OneOf(USAGES)), values=fields.Nested(UsageSchema), required=True
    )
    start = Timestamp(required=True)
    end = Timestamp(required=True)
    resolution = fields.String(required=True, metadata={"example": "5m"})


class CountsSchema(Schema):
    """How many there are."""

    total = fields.Integer(required=True)
    by_status = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class ClusterMetricsSchema(_OverTime):
    """What a cluster has and uses."""

    cluster_id = fields.UUID(required=True)
    status = fields.String(required=True)
    observed_at = Timestamp(required=True, allow_none=True, metadata={"description": "When its objects were counted"})
    nodes = fields.Nested(CountsSchema, required=True)
    pods = fields.Nested(CountsSchema, required=True)
    namespaces = fields.Integer(required=True)


class WorkspaceMetricsSchema(_OverTime):
    """What the namespaces of a workspace use."""

    workspace_id = fields.UUID(required=True)
    namespaces = fields.List(fields.String(), required=True)


class PartSchema(Schema):
    """What one part is like."""

    status = fields.String(required=True, validate=validate.OneOf(LEVELS))
    message = fields.String(required=True, allow_none=True)


class NodesSchema(Schema):
    """The nodes that a workspace may run on."""

    total = fields.Integer(required=True)
    ready = fields.Integer(required=True)


class WorkspaceHealthSchema(Schema):
    """How a workspace fares; `status` is the worst of its parts."""

    workspace_id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.OneOf(LEVELS))
    observed_at = Timestamp(required=True, allow_none=True)
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(PartSchema),
        required=True,
        metadata={"description": "`workspace`, and on a cluster `api_server`, `nodes` and `pods`"},
    )
    nodes = fields.Nested(NodesSchema, required=True, allow_none=True)
    pods = fields.Nested(CountsSchema, required=True, allow_none=True)


class WorkspaceAlertFilters(Schema):
    """What a workspace's alerts can be narrowed by."""

    severity = fields.String(validate=validate.OneOf(SEVERITIES))
    status = fields.String(validate=validate.OneOf(STATUSES))
