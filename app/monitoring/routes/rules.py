"""Alert rules, and trials of them on the past."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import Reply, accepted, load, principal, requires, transaction
from app.kernel.clock import utc_now
from app.monitoring.alerting import rules
from app.monitoring.alerting.queries import visible_rules
from app.monitoring.charts import Span
from app.monitoring.models import AlertRule
from app.monitoring.routes.base import blueprint, find_place, take_place
from app.monitoring.schemas.alerts import (
    RuleChange,
    RuleCreation,
    RuleFilters,
    RuleReplacement,
    RuleSchema,
    TrialRequest,
    TrialSchema,
)

SORT = {"created_at": AlertRule.created_at, "name": AlertRule.name}


@blueprint.route("/alert-rules")
class AlertRules(MethodView):
    """Alert rules of all organizations."""

    @blueprint.paged(RuleSchema, sort=SORT, default="-created_at", filters=RuleFilters)
    @requires("alerts:read")
    def get(self, filters: dict[str, Any]) -> Select[AlertRule]:
        """The alert rules that the caller may read"""
        return visible_rules(principal(), filters)

    @blueprint.arguments(RuleCreation)
    @blueprint.response(201, RuleSchema)
    @requires("alerts:write")
    def post(self, body: dict[str, Any]) -> AlertRule:
        """Make an alert rule; it is looked at from now on, every `interval_seconds`"""
        named = take_place(body)
        with transaction() as session:
            return rules.make_rule(session, find_place(session, named), principal(), body)


@blueprint.route("/alert-rules/<uuid:rule_id>")
class OneAlertRule(MethodView):
    """An alert rule."""

    @blueprint.response(200, RuleSchema)
    @requires("alerts:read")
    def get(self, rule_id: UUID) -> AlertRule:
        """An alert rule"""
        with transaction() as session:
            return load(session, AlertRule, rule_id)

    @blueprint.arguments(RuleReplacement)
    @blueprint.response(200, RuleSchema)
    @requires("alerts:write")
    def put(self, body: dict[str, Any], rule_id: UUID) -> AlertRule:
        """Replace an alert rule"""
        return _change(body, rule_id)

    @blueprint.arguments(RuleChange)
    @blueprint.response(200, RuleSchema)
    @requires("alerts:write")
    def patch(self, body: dict[str, Any], rule_id: UUID) -> AlertRule:
        """Change some of an alert rule; switched off, its alerts are over"""
        return _change(body, rule_id)

    @blueprint.response(204)
    @requires("alerts:write")
    def delete(self, rule_id: UUID) -> None:
        """Delete an alert rule; its alerts are over, and stay to be read"""
        with transaction() as session:
            rule = load(session, AlertRule, rule_id, for_update=True)
            rules.end_alerts(session, rule, "Its rule was deleted.")
            session.delete(rule)


@blueprint.route("/alert-rules/trials")
class Trials(MethodView):
    """Rules that are tried on the past."""

    @blueprint.arguments(TrialRequest)
    @blueprint.response(202, TrialSchema)
    @requires("alerts:write")
    def post(self, body: dict[str, Any]) -> Reply:
        """Try a rule on stored history; the job's result says what would have fired, beside the rule of `rule_id`"""
        span = Span(body["start"], body.get("end", utc_now().timestamp()))
        with transaction() as session:
            place, rule = find_place(session, take_place(body)), _find(session, body.get("rule_id"))
            trial, job_id = rules.ask_for_trial(session, place, principal(), body["rule"], rule, span)
            return accepted(trial, job_id)


def _find(session: Session, rule_id: UUID | None) -> AlertRule | None:
    return None if rule_id is None else load(session, AlertRule, rule_id)


def _change(body: dict[str, Any], rule_id: UUID) -> AlertRule:
    with transaction() as session:
        return rules.change_rule(session, load(session, AlertRule, rule_id, for_update=True), body, principal())
