"""Anomalies: listed, read, acknowledged."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, principal, requires, transaction
from app.kernel.clock import utc_now
from app.sre.models import Anomaly
from app.sre.queries import visible_anomalies
from app.sre.routes.base import blueprint
from app.sre.schemas.scans import AnomalyFilters, AnomalySchema

SORT = {"start": Anomaly.start, "detected_at": Anomaly.detected_at, "score": Anomaly.score}


@blueprint.route("/sre/anomalies")
class Anomalies(MethodView):
    """Anomalies of all organizations."""

    @blueprint.paged(AnomalySchema, sort=SORT, default="-start", filters=AnomalyFilters)
    @requires("sre:read")
    def get(self, filters: dict[str, Any]) -> Select[Anomaly]:
        """The anomalies that the caller may read, of a scan or of a series"""
        return visible_anomalies(principal(), filters)


@blueprint.route("/sre/anomalies/<uuid:anomaly_id>")
class OneAnomaly(MethodView):
    """An anomaly."""

    @blueprint.response(200, AnomalySchema)
    @requires("sre:read")
    def get(self, anomaly_id: UUID) -> Anomaly:
        """An anomaly"""
        with transaction() as session:
            return load(session, Anomaly, anomaly_id)


@blueprint.route("/sre/anomalies/<uuid:anomaly_id>/acknowledge")
class Acknowledgement(MethodView):
    """Somebody has seen an anomaly."""

    @blueprint.response(200, AnomalySchema)
    @requires("sre:write")
    def put(self, anomaly_id: UUID) -> Anomaly:
        """Acknowledge an anomaly; who did it first stays"""
        with transaction() as session:
            anomaly = load(session, Anomaly, anomaly_id, for_update=True)
            if anomaly.acknowledged_at is None:
                anomaly.acknowledged_at, anomaly.acknowledged_by = utc_now(), principal().user_id
                session.flush()
            return anomaly
