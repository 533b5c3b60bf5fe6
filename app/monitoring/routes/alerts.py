"""Alerts: listed, told with their story, acknowledged, resolved, and received from an Alertmanager."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import Reply, load, principal, requires, transaction
from app.monitoring.alerting import rules
from app.monitoring.alerting.ingesting import ingest
from app.monitoring.alerting.queries import visible_alerts
from app.monitoring.alerting.story import explain, read_story, with_deliveries
from app.monitoring.models import Alert
from app.monitoring.routes.base import blueprint, find_place
from app.monitoring.schemas.alerts import AlertFilters, AlertSchema, IngestedSchema, ReceivedSchema, StorySchema
from app.monitoring.schemas.metrics import PlaceSchema

SORT = {"created_at": Alert.created_at, "pending_at": Alert.pending_at}


@blueprint.route("/alerts")
class Alerts(MethodView):
    """Alerts of all organizations."""

    @blueprint.paged(AlertSchema, sort=SORT, default="-created_at", filters=AlertFilters)
    @requires("alerts:read")
    def get(self, filters: dict[str, Any]) -> Select[Alert]:
        """The alerts that the caller may read"""
        return visible_alerts(principal(), filters)


@blueprint.route("/alerts/<uuid:alert_id>")
class OneAlert(MethodView):
    """An alert."""

    @blueprint.response(200, StorySchema)
    @requires("alerts:read")
    def get(self, alert_id: UUID) -> dict[str, Any]:
        """An alert with its whole story: the samples and the rule that decided, its group, what muted it or whom it was
        told to, and each attempt"""
        with transaction() as session:
            alert = load(session, Alert, alert_id)
            steps = read_story(session, alert)
            return _show(alert) | {"story": with_deliveries(session, steps), "why": explain(alert, steps)}


def _show(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in AlertSchema().fields}


@blueprint.route("/alerts/<uuid:alert_id>/acknowledge")
class AlertAcknowledgement(MethodView):
    """Somebody looks after an alert."""

    @blueprint.response(200, AlertSchema)
    @blueprint.refuses(409)
    @requires("alerts:acknowledge")
    def put(self, alert_id: UUID) -> Alert:
        """Acknowledge an alert: it is not told again; who did it first stays"""
        with transaction() as session:
            return rules.acknowledge(session, load(session, Alert, alert_id, for_update=True), principal())


@blueprint.route("/alerts/<uuid:alert_id>/resolve")
class AlertResolution(MethodView):
    """Somebody says that an alert is over."""

    @blueprint.response(200, AlertSchema)
    @blueprint.refuses(409)
    @requires("alerts:acknowledge")
    def put(self, alert_id: UUID) -> Alert:
        """Resolve an alert; what still holds at the next look begins another"""
        with transaction() as session:
            return rules.resolve(session, load(session, Alert, alert_id, for_update=True), principal())


@blueprint.route("/alerts/ingest")
class Ingest(MethodView):
    """Alertmanager's webhook."""

    @blueprint.arguments(PlaceSchema, location="query")
    @blueprint.arguments(ReceivedSchema)
    @blueprint.response(200, IngestedSchema)
    @requires("alerts:write")
    def post(self, *given: dict[str, Any]) -> Reply:
        """Take the alerts of an Alertmanager (webhook version 4); the same message twice changes nothing"""
        place, body = sorted(given, key=lambda one: "alerts" in one)
        with transaction() as session:
            return Reply(ingest(session, find_place(session, place), body["alerts"]))
