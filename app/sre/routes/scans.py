"""Scans: asked for, listed, and what they judged."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import Reply, accepted, load, principal, requires, transaction
from app.monitoring import find_place
from app.sre.models import Scan
from app.sre.queries import read_scores, visible_scans
from app.sre.routes.base import blueprint
from app.sre.scanning import ask_for_scan
from app.sre.schemas.scans import ScanFilters, ScanRequest, ScanSchema, ScoreArguments

SORT = {"created_at": Scan.created_at}


@blueprint.route("/sre/scans")
class Scans(MethodView):
    """Scans of all organizations."""

    @blueprint.paged(ScanSchema, sort=SORT, default="-created_at", filters=ScanFilters)
    @requires("sre:read")
    def get(self, filters: dict[str, Any]) -> Select[Scan]:
        """The scans that the caller may read"""
        return visible_scans(principal(), filters)

    @blueprint.takes("metric_body_bytes")
    @blueprint.arguments(ScanRequest, walked=False)
    @blueprint.response(202, ScanSchema)
    @requires("sre:scan")
    def post(self, body: dict[str, Any]) -> Reply:
        """Scan series for anomalies: given here with their points, or stored ones by their names

        Stored series are judged from where the last scan ended, up to `until`; what a score says of a moment rests on
        nothing after it, and is never changed.
        """
        with transaction() as session:
            place = find_place(session, body)
            scan, job_id = ask_for_scan(session, place, principal(), body["series"], body.get("until"))
            return accepted(scan, job_id)


@blueprint.route("/sre/scans/<uuid:scan_id>")
class OneScan(MethodView):
    """A scan."""

    @blueprint.response(200, ScanSchema)
    @requires("sre:read")
    def get(self, scan_id: UUID) -> Scan:
        """A scan, and how far it has come"""
        with transaction() as session:
            return load(session, Scan, scan_id)


SCORES = {
    "type": "array",
    "items": {
        "type": "array",
        "prefixItems": [{"type": "number"}, {"type": "number", "minimum": 0}],
        "minItems": 2,
        "maxItems": 2,
    },
}


@blueprint.route("/sre/scans/<uuid:scan_id>/scores")
class Scores(MethodView):
    """What a scan judged of a series."""

    @blueprint.arguments(ScoreArguments, location="query")
    @blueprint.response(200, form=SCORES, description="`[epoch_seconds, score]` of every point that was judged")
    @requires("sre:read")
    def get(self, asked: dict[str, Any], scan_id: UUID) -> list[list[float]]:
        """The score of every point that a scan judged of a series: `[[epoch_seconds, score], …]`, scores from 0 on"""
        with transaction() as session:
            scan = load(session, Scan, scan_id)
            return read_scores(session, scan, asked.get("series"), asked["start"], asked["end"])
