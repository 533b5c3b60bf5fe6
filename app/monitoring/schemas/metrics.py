"""Wire forms of metrics."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Moment, Schema, Timestamp
from app.monitoring.charts import RESOLUTIONS
from app.monitoring.rollups import STATISTICS

PERIODS = {"1h": 3600, "6h": 21_600, "24h": 86_400, "1d": 86_400, "7d": 604_800, "30d": 2_592_000, "90d": 7_776_000}
PAIRS = {"description": "`[epoch_seconds, value]` each", "example": [[1767225600.0, 0.25]]}


class PlaceSchema(Schema):
    """Where series lie."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    workspace_id = fields.UUID(metadata={"description": "A workspace that the series belong to"})
    cluster_id = fields.UUID(metadata={"description": "A cluster that the series belong to"})


class PushSchema(PlaceSchema):
    """Samples of series."""

    series = fields.Raw(required=True)


class WrittenSchema(Schema):
    """What became of the samples of a request."""

    accepted = fields.Integer(required=True)
    late = fields.Integer(
        required=True, metadata={"description": "Of the accepted, those older than their series' newest"}
    )
    duplicates = fields.Integer(required=True, metadata={"description": "There was a sample at that moment already"})
    new_series = fields.Integer(required=True)
    rejected = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Samples of a remote write that were passed over: by `value` or `labels`"},
    )


class SeriesSchema(Schema):
    """A series."""

    series = fields.String(required=True, attribute="text", metadata={"example": 'cpu_usage{pod="web"}'})
    name = fields.String(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    samples = fields.Integer(required=True, attribute="points")
    newest_at = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class OfOrganization(Schema):
    """Whose series are read."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class SeriesFilters(OfOrganization):
    """What the list of series can be narrowed by."""

    name = fields.String(validate=validate.Length(1, 200))
    cluster_id = fields.UUID()
    workspace_id = fields.UUID()
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In the name"})


class SpanSchema(OfOrganization):
    """From when until when."""

    start = Moment(metadata={"description": "Epoch seconds or RFC 3339"})
    end = Moment(metadata={"description": "The same; now unless given"})
    period = fields.String(
        validate=validate.OneOf(sorted(PERIODS)), metadata={"description": "So long before `end`, instead of `start`"}
    )


class ChartArguments(SpanSchema):
    """Which series are shown, and how."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    labels = fields.List(
        fields.String(validate=validate.Length(3, 1101)), metadata={"description": "`label=value`, separated by commas"}
    )
    cluster_id = fields.UUID()
    workspace_id = fields.UUID()
    resolution = fields.String(
        validate=validate.OneOf(list(RESOLUTIONS)), metadata={"description": "By the length of the time unless given"}
    )
    statistic = fields.String(validate=validate.OneOf(STATISTICS), load_default="avg")


class ChartLineSchema(Schema):
    """A series with its points."""

    series = fields.String(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    points = fields.List(fields.List(fields.Float()), required=True, metadata=PAIRS)


class ChartSchema(Schema):
    """Series over time."""

    name = fields.String(required=True)
    start = Timestamp(required=True)
    end = Timestamp(required=True)
    resolution = fields.String(required=True)
    statistic = fields.String(required=True)
    series = fields.List(fields.Nested(ChartLineSchema), required=True)
    total_points = fields.Integer(required=True)


class QueryArguments(SpanSchema):
    """A query, over time or for one moment."""

    query = fields.String(
        required=True,
        validate=validate.Length(1, 2000),
        metadata={"description": "A part of PromQL", "example": "sum by (pod) (rate(requests_total[5m]))"},
    )
    time = Moment(metadata={"description": "One moment, instead of a time from `start` to `end`"})
    step = fields.String(metadata={"description": "Seconds, or a text such as `1m`; one of 250 unless given"})


class QueryLineSchema(Schema):
    """A series that came of a query."""

    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    points = fields.List(fields.List(fields.Float()), required=True, metadata=PAIRS)


class QueryResultSchema(Schema):
    """What came of a query: with `time` a `vector` of one point each, else a `matrix`."""

    query = fields.String(required=True)
    result_type = fields.String(required=True, validate=validate.OneOf(["vector", "matrix"]))
    start = Timestamp(required=True)
    end = Timestamp(required=True)
    step = fields.Float(required=True, allow_none=True, metadata={"description": "Seconds"})
    result = fields.List(fields.Nested(QueryLineSchema), required=True)


class TopSchema(Schema):
    """A metric with many series."""

    name = fields.String(required=True)
    series = fields.Integer(required=True)
    samples = fields.Integer(required=True)


class SummarySchema(Schema):
    """How much there is."""

    series = fields.Integer(required=True)
    series_limit = fields.Integer(required=True, allow_none=True)
    samples = fields.Integer(required=True, metadata={"description": "Ever written to the series there are"})
    metrics = fields.Integer(required=True, metadata={"description": "Different names"})
    newest_at = Timestamp(required=True, allow_none=True)
    top = fields.List(fields.Nested(TopSchema), required=True)
