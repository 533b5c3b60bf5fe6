"""Wire forms of insights."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema
from app.sre.scores import LEVELS, TRENDS

STATUSES = ("normal", "warning", "critical")


class DaysArguments(Schema):
    """How far back."""

    days = fields.Integer(load_default=7, validate=validate.Range(1, 90))


class OverviewArguments(Schema):
    """Whose clusters."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class PartOfScore(Schema):
    """A part of a score."""

    name = fields.String(required=True, metadata={"example": "nodes"})
    score = fields.Float(required=True, allow_none=True, metadata={"description": "0 to 100; none is not known"})
    weight = fields.Float(required=True)
    message = fields.String(required=True)


class ScoreOfCluster(Schema):
    """How healthy a cluster is: the weighted mean of the parts that are known."""

    score = fields.Float(required=True, allow_none=True, metadata={"description": "0 to 100"})
    level = fields.String(required=True, validate=validate.OneOf(LEVELS))
    parts = fields.List(fields.Nested(PartOfScore), required=True)


class PerformanceSchema(Schema):
    """What is used now, against the average of the days before."""

    metric = fields.String(required=True, metadata={"example": "cpu"})
    unit = fields.String(required=True)
    current = fields.Float(required=True, metadata={"description": "The average of the last hour"})
    baseline = fields.Float(required=True)
    deviation_percent = fields.Float(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))


class DaySchema(Schema):
    """What went wrong on a day, in UTC."""

    date = fields.Date(required=True)
    alerts = fields.Integer(required=True, metadata={"description": "That began to fire"})
    critical = fields.Integer(required=True)
    resolved = fields.Integer(required=True, metadata={"description": "Of these, by now"})
    anomalies = fields.Integer(required=True)


class ClusterInsightsSchema(Schema):
    """How a cluster fares, and what has changed."""

    cluster_id = fields.UUID(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True)
    days = fields.Integer(required=True)
    health = fields.Nested(ScoreOfCluster, required=True)
    trend = fields.String(
        required=True,
        validate=validate.OneOf(TRENDS),
        metadata={"description": "Whether less goes wrong in the later half of the days than in the earlier"},
    )
    performance = fields.List(fields.Nested(PerformanceSchema), required=True)
    trends = fields.List(fields.Nested(DaySchema), required=True)


class RankedSchema(Schema):
    """A cluster with its score, and what weighs most on it."""

    cluster_id = fields.UUID(required=True)
    name = fields.String(required=True)
    score = fields.Float(required=True)
    level = fields.String(required=True, validate=validate.OneOf(LEVELS))
    message = fields.String(required=True)


class InsightSchema(Schema):
    """Something worth a look."""

    level = fields.String(required=True, validate=validate.OneOf(["positive", "warning"]))
    message = fields.String(required=True)


class OverviewSchema(Schema):
    """How an organization's clusters fare."""

    clusters = fields.Integer(required=True)
    healthy_clusters = fields.Integer(required=True)
    average_score = fields.Float(required=True, allow_none=True)
    alerts_24h = fields.Integer(required=True, metadata={"description": "That began to fire in the last day"})
    resolved_24h = fields.Integer(required=True, metadata={"description": "Of these, by now"})
    resolution_rate = fields.Float(required=True, allow_none=True, metadata={"description": "0 to 1"})
    anomalies_24h = fields.Integer(required=True)
    top_performing = fields.List(fields.Nested(RankedSchema), required=True)
    needing_attention = fields.List(fields.Nested(RankedSchema), required=True)
    insights = fields.List(fields.Nested(InsightSchema), required=True)
