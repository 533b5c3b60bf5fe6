"""Wire forms of forecasts."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.monitoring import FILLING_KINDS, FORECAST_STATES


class ForecastArguments(Schema):
    """Of what, and how pressing."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    workspace_id = fields.UUID()
    cluster_id = fields.UUID()
    kind = fields.String(validate=validate.OneOf(FILLING_KINDS))
    state = fields.String(validate=validate.OneOf(FORECAST_STATES))
    within_days = fields.Float(
        validate=validate.Range(0, 365), metadata={"description": "Only what may be full in so many days"}
    )


class ForecastSchema(Schema):
    """Something that may fill up, and when; without a moment it is not to be expected within a year."""

    kind = fields.String(required=True, validate=validate.OneOf(FILLING_KINDS))
    state = fields.String(required=True, validate=validate.OneOf(FORECAST_STATES), attribute="forecast.state")
    series = fields.String(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    used = fields.Float(required=True, attribute="forecast.level")
    capacity = fields.Float(required=True, attribute="forecast.capacity")
    growth = fields.Float(required=True, attribute="forecast.growth", metadata={"description": "Per second"})
    full_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it is expected to be full"})
    earliest_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "From here to `latest_at`, in four of five cases"}
    )
    latest_at = Timestamp(required=True, allow_none=True)
    measured_at = Timestamp(required=True)
    points = fields.Integer(
        required=True, attribute="forecast.points", metadata={"description": "Hours that were looked at"}
    )
