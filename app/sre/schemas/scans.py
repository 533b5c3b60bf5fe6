"""Wire forms of scans and anomalies."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Moment, Schema, Timestamp
from app.sre.models import SEVERITIES, SOURCES, STATUSES


class _Place(Schema):
    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    workspace_id = fields.UUID(metadata={"description": "A workspace that the series belong to"})
    cluster_id = fields.UUID(metadata={"description": "A cluster that the series belong to"})


class ScanRequest(_Place):
    """What is to be scanned."""

    series = fields.Raw(
        required=True,
        metadata={
            "description": "Either series, `{name, timestamps, values}` each, or names of stored ones",
            "type": "array",
            "example": [{"name": "cpu_usage", "timestamps": [1767225600.0], "values": [0.25]}],
        },
    )
    until = Moment(metadata={"description": "Stored series are judged up to here: epoch seconds or RFC 3339"})


class ScanSchema(Schema):
    """A scan."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    schedule_id = fields.UUID(required=True, allow_none=True)
    source = fields.String(required=True, validate=validate.OneOf(SOURCES))
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    until = Timestamp(required=True, allow_none=True, attribute="until_moment")
    series = fields.Integer(required=True)
    points = fields.Integer(required=True, metadata={"description": "Points that were judged"})
    anomalies = fields.Integer(required=True, metadata={"description": "Anomalies that were found"})
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)


class ScanFilters(_Place):
    """What the list of scans can be narrowed by."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    source = fields.String(validate=validate.OneOf(SOURCES))
    schedule_id = fields.UUID()


class ScoreArguments(Schema):
    """Which scores are read."""

    series = fields.String(
        validate=validate.Length(1, 4000),
        metadata={"description": "A series of the scan; needed where it has several"},
    )
    start = Moment(data_key="from", load_default=0.0, metadata={"description": "Epoch seconds or RFC 3339"})
    end = Moment(data_key="to", load_default=7_258_118_400.0, metadata={"description": "The same"})


class ExpectedSchema(Schema):
    """The values that would have been nothing unusual."""

    low = fields.Float(required=True)
    high = fields.Float(required=True)


class AnomalySchema(Schema):
    """A stretch of unusual values."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    scan_id = fields.UUID(required=True, metadata={"description": "The scan that found it"})
    series = fields.String(required=True)
    start = Timestamp(required=True)
    end = Timestamp(required=True, metadata={"description": "Its newest unusual point; moves while it is open"})
    detected_at = Timestamp(required=True, metadata={"description": "The point at which it was certain; never moves"})
    is_open = fields.Boolean(required=True)
    peak = fields.Float(required=True, metadata={"description": "The most unusual value"})
    score = fields.Float(required=True, metadata={"description": "The highest score"})
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    expected = fields.Nested(ExpectedSchema, required=True)
    reason = fields.String(required=True)
    acknowledged_at = Timestamp(required=True, allow_none=True)
    acknowledged_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class AnomalyFilters(_Place):
    """What the list of anomalies can be narrowed by."""

    scan_id = fields.UUID()
    series = fields.String(validate=validate.Length(1, 4000), metadata={"description": "A name, or with its labels"})
    severity = fields.String(validate=validate.OneOf(SEVERITIES))
    is_open = fields.Boolean()
    acknowledged = fields.Boolean()
    start_date = Timestamp(metadata={"description": "Those that lasted until then, or longer"})
    end_date = Timestamp(metadata={"description": "Those that had begun by then"})


def _series(**said: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.Length(1, 4000)),
        validate=validate.Length(1, 1000),
        metadata={"description": "Names of stored series, or texts with labels", "example": ["cpu_usage"]},
        **said,
    )


def _interval(**said: Any) -> fields.Integer:
    return fields.Integer(validate=validate.Range(60, 86_400), metadata={"example": 300}, **said)


class ScheduleChange(Schema):
    """What is changed of a schedule."""

    name = fields.String(validate=validate.Length(1, 100))
    series = _series()
    interval_seconds = _interval()
    enabled = fields.Boolean()


class ScheduleReplacement(Schema):
    """A schedule, whole."""

    name = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "every five minutes"})
    series = _series(required=True)
    interval_seconds = _interval(required=True)
    enabled = fields.Boolean(load_default=True)


class ScheduleCreation(ScheduleReplacement, _Place):
    """A new schedule."""


class ScheduleSchema(Schema):
    """Stored series that are scanned by the clock."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    name = fields.String(required=True)
    series = fields.List(fields.String(), required=True)
    interval_seconds = fields.Integer(required=True)
    enabled = fields.Boolean(required=True)
    next_run_at = Timestamp(required=True)
    last_scan_id = fields.UUID(required=True, allow_none=True)
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ScheduleFilters(_Place):
    """What the list of schedules can be narrowed by."""

    enabled = fields.Boolean()
