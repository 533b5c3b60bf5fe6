"""Samples come in: as JSON, or as Prometheus' remote write."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from flask import request
from flask.views import MethodView

from app.http import UnsupportedMediaType, load_fields, platform, read_body, read_json, requires, transaction
from app.monitoring.errors import TooManySeries
from app.monitoring.incoming import Received, read_pushed
from app.monitoring.remote_write import read_remote_write
from app.monitoring.routes.base import blueprint, find_place
from app.monitoring.schemas.metrics import PlaceSchema, PushSchema, WrittenSchema
from app.monitoring.writing import Written, write_samples

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
PAIR: dict[str, Any] = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
PUSHED: dict[str, Any] = {
    "type": "object",
    "required": ["name", "points"],
    "properties": {
        "name": {"type": "string", "example": "cpu_usage"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "points": {"type": "array", "items": PAIR, "example": [[1767225600.0, 0.25]]},
    },
}
PLACE: dict[str, Any] = {name: {"type": "string", "format": "uuid"} for name in PlaceSchema().fields}
BODY: dict[str, Any] = {
    "type": "object",
    "required": ["series"],
    "properties": {"series": {"type": "array", "items": PUSHED}, **PLACE},
}
BODY_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {JSON: {"schema": BODY}, PROTOBUF: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@blueprint.route("/metrics/write")
class Write(MethodView):
    """Samples that are pushed."""

    @blueprint.doc(**BODY_DOC)
    @blueprint.takes("metric_body_bytes")
    @blueprint.arguments(PlaceSchema, location="query")
    @blueprint.response(200, WrittenSchema)
    @requires("metrics:write")
    def post(self, place: dict[str, Any]) -> dict[str, Any]:
        """Write samples, as JSON or as Prometheus' remote write

        Of two samples at one moment the first stays. What is older than its series' newest is taken, and said to be
        late. Beyond the number of series that an organization may have, new ones are refused with `QUOTA_EXCEEDED`;
        what came for others in the same request is written.
        """
        received, named = _read(place)
        with transaction() as session:
            written = write_samples(session, find_place(session, named), received.series, platform().metric_series)
        return _tell(written, received.rejected)


def _read(place: dict[str, Any]) -> tuple[Received, dict[str, Any]]:
    if request.mimetype == PROTOBUF:
        if request.mimetype_params.get("proto", "prometheus.WriteRequest") != "prometheus.WriteRequest":
            raise UnsupportedMediaType("Only remote write 1 is read: proto=prometheus.WriteRequest.")
        return read_remote_write(read_body(PROTOBUF)), place
    given = load_fields(PushSchema(), read_json(walked=False), "body")
    return Received(read_pushed(given.pop("series"))), place | given


def _tell(written: Written, rejected: Counter[str]) -> dict[str, Any]:
    told = asdict(written)
    refused = {name: told.pop(name) for name in ("refused", "refused_series", "refused_samples")}
    if refused["refused_series"]:
        limit = platform().metric_series
        told |= {"series": refused["refused"], "samples": refused["refused_samples"], "limit": limit}
        message = f"{refused['refused_series']} new series are refused: an organization may have {limit}."
        raise TooManySeries(f"{message} What came for others was written.", **told)
    return told | {"rejected": +rejected}
