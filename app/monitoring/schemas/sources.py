"""Wire forms of sources."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.monitoring.models import SOURCE_KINDS
from app.monitoring.schemas.metrics import PlaceSchema
from app.monitoring.sources.access import LONGEST_URL, MOST_QUERIES

EXAMPLE = {"query": 'container_memory_working_set_bytes{namespace="shop"}'}


class AskedSchema(Schema):
    """What a Prometheus is asked."""

    query = fields.String(
        required=True,
        validate=validate.Length(1, 2000),
        metadata={"description": "PromQL. Plain series are kept as they are, of all else the values at each interval"},
    )
    name = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "The name under which values are kept; needed unless the query is plain series"},
    )


class SourceReplacement(Schema):
    """A Prometheus, whole; credentials that are left out stay."""

    name = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "shop's Prometheus"})
    url = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_URL),
        metadata={"example": "https://prometheus.example.com"},
    )
    queries = fields.List(
        fields.Nested(AskedSchema),
        required=True,
        validate=validate.Length(1, MOST_QUERIES),
        metadata={"example": [EXAMPLE]},
    )
    interval_seconds = fields.Integer(load_default=60, validate=validate.Range(60, 3600))
    enabled = fields.Boolean(load_default=True)
    token = fields.String(
        validate=validate.Regexp(r"[\x21-\x7e]{1,16384}$"),
        load_only=True,
        metadata={"description": "Sent as bearer token; never shown"},
    )
    username = fields.String(
        validate=validate.Regexp(r"[^:\x00-\x1f\x7f]{1,200}$"), load_only=True, metadata={"description": "Never shown"}
    )
    password = fields.String(
        validate=validate.Regexp(r"[^\x00-\x1f\x7f]{1,200}$"), load_only=True, metadata={"description": "Never shown"}
    )


class SourceChange(SourceReplacement):
    """What is changed of a source; fields that are left out stay. A cluster's own has only an interval to change, and
    can be switched off."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**{"partial": True, **said})


class SourceCreation(SourceReplacement, PlaceSchema):
    """A new source."""


class SourceSchema(Schema):
    """A source, and how pulling from it fares."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    kind = fields.String(required=True, validate=validate.OneOf(SOURCE_KINDS))
    name = fields.String(required=True)
    url = fields.String(required=True, allow_none=True)
    queries = fields.List(fields.Nested(AskedSchema), required=True)
    interval_seconds = fields.Integer(required=True)
    enabled = fields.Boolean(required=True)
    pulled_until = Timestamp(
        required=True,
        allow_none=True,
        attribute="pulled_until_moment",
        metadata={"description": "All up to then has been pulled"},
    )
    pulled_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it was last asked"})
    next_pull_at = Timestamp(required=True)
    failures = fields.Integer(required=True, metadata={"description": "Pulls that failed in a row"})
    error_code = fields.String(required=True, allow_none=True)
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the newest pull failed, or what it left out"}
    )
    series = fields.Integer(required=True, metadata={"description": "In the newest pull"})
    samples = fields.Integer(required=True, metadata={"description": "Ever written"})
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class SourceFilters(PlaceSchema):
    """What the list of sources can be narrowed by."""

    kind = fields.String(validate=validate.OneOf(SOURCE_KINDS))
    enabled = fields.Boolean()


class CollectionSchema(Schema):
    """Of which place metrics are collected."""

    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
