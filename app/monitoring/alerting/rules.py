"""What clients ask of rules, alerts and silences. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.clock import database_now, sql_days
from app.kernel.errors import Conflict, FieldError, Invalid
from app.kernel.principal import Principal
from app.monitoring.alerting import story
from app.monitoring.alerting.conditions import ANOMALY
from app.monitoring.alerting.episodes import FIRING, RESOLVED
from app.monitoring.alerting.evaluating import condition_of
from app.monitoring.alerting.groups import join_group
from app.monitoring.alerting.matching import REPEATS, find_matchers_fault
from app.monitoring.alerting.routing import check_routes
from app.monitoring.intents import TryRule
from app.monitoring.language import Selector
from app.monitoring.models import Alert, AlertRule, AlertTrial, Silence
from app.monitoring.writing import Place

MOST_RULES: Final = 1_000
LONGEST_TRIAL: Final = 90 * 86_400.0
MOST_TRIAL_STEPS: Final = 50_000


class AlertOver(Conflict):
    """The alert is over already."""


class TooManyRules(Invalid):
    """The organization has as many alert rules as it may have."""

    code = "QUOTA_EXCEEDED"


def check_rule(fields: Mapping[str, Any]) -> None:
    """Raise Invalid where a rule's fields do not go together, or its query is none."""
    condition = condition_of(fields)
    if fields["kind"] == ANOMALY and not isinstance(condition.query, Selector):
        raise Invalid(errors=[FieldError("query", "Anomalies are of series: name them, without a function.")])
    inhibits = fields.get("inhibits")
    if inhibits and (fault := find_matchers_fault(inhibits["matchers"])):
        raise Invalid(errors=[FieldError("inhibits.matchers", fault)])


def make_rule(session: Session, place: Place, caller: Principal, fields: dict[str, Any]) -> AlertRule:
    """Write a rule, which is looked at from now on."""
    check_rule(fields)
    check_routes(session, place.organization_id, fields["routes"], caller)
    counted = select(func.count()).where(AlertRule.organization_id == place.organization_id)
    if session.execute(counted).scalar_one() >= MOST_RULES:
        raise TooManyRules(limit=MOST_RULES)
    rule = AlertRule(**_lying(place), created_by=caller.user_id, **fields)
    session.add(rule)
    session.flush()
    session.refresh(rule)
    return rule


def change_rule(session: Session, rule: AlertRule, fields: dict[str, Any], caller: Principal) -> AlertRule:
    """Write the given fields of a rule; its alerts go on by the new ones, and one that is switched off ends them."""
    names = ("kind", "query", "operator", "threshold", "window_seconds", "percent", "inhibits")
    check_rule({name: fields.get(name, getattr(rule, name)) for name in names})
    if fields.get("routes", rule.routes) != rule.routes:
        check_routes(session, rule.organization_id, fields["routes"], caller)
    for name, value in fields.items():
        setattr(rule, name, value)
    rule.next_run_at, rule.error = database_now(), None
    session.flush()
    if not rule.enabled:
        end_alerts(session, rule, "Its rule was switched off.")
    session.refresh(rule)
    return rule


def end_alerts(session: Session, rule: AlertRule, reason: str) -> None:
    """Let the alerts of a rule be over that is not looked at any more."""
    active = select(Alert).where(Alert.rule_id == rule.id, Alert.status != RESOLVED).with_for_update()
    now: datetime = session.execute(select(database_now())).scalar_one()
    for alert in session.scalars(active):
        if alert.status == FIRING:
            _end(session, alert, rule, now, reason=reason)
        else:
            session.delete(alert)
    session.flush()


def _end(session: Session, alert: Alert, rule: AlertRule | None, now: datetime, **why: Any) -> None:
    alert.status, alert.resolved_at = RESOLVED, now
    story.note(session, alert.id, story.OVER, **why)
    join_group(session, alert, rule, now)


def acknowledge(session: Session, alert: Alert, caller: Principal) -> Alert:
    """Somebody looks after an alert whose row is locked: it is not repeated any more. Raises AlertOver."""
    if alert.status == RESOLVED:
        raise AlertOver(status=alert.status)
    if alert.acknowledged_at is None:
        now: datetime = session.execute(select(database_now())).scalar_one()
        alert.acknowledged_at, alert.acknowledged_by = now, caller.user_id
        story.note(session, alert.id, story.ACKNOWLEDGED, user_id=str(caller.user_id))
        session.flush()
    return alert


def resolve(session: Session, alert: Alert, caller: Principal) -> Alert:
    """Somebody says that an alert, whose row is locked, is over; what still holds at the next step begins another.

    Raises AlertOver.
    """
    if alert.status == RESOLVED:
        raise AlertOver(status=alert.status)
    now: datetime = session.execute(select(database_now())).scalar_one()
    alert.resolved_by = caller.user_id
    rule = session.get(AlertRule, alert.rule_id) if alert.rule_id else None
    _end(session, alert, rule, now, reason="Somebody said so.", user_id=str(caller.user_id))
    return alert


def make_silence(session: Session, place: Place, caller: Principal, fields: dict[str, Any]) -> Silence:
    """Write a silence; raises Invalid for one that would match everything, or ends before it begins."""
    check_silence(fields)
    silence = Silence(**_lying(place), created_by=caller.user_id, **fields)
    session.add(silence)
    session.flush()
    session.refresh(silence)
    return silence


def change_silence(session: Session, silence: Silence, fields: dict[str, Any]) -> Silence:
    """Write the given fields of a silence; raises Invalid as `make_silence` does."""
    names = ("matchers", "starts_at", "ends_at", "repeats")
    check_silence({name: fields.get(name, getattr(silence, name)) for name in names})
    for name, value in fields.items():
        setattr(silence, name, value)
    session.flush()
    session.refresh(silence)
    return silence


def end_silence(session: Session, silence: Silence) -> None:
    """Let a silence hold no longer; it stays to be read, for the stories that name it."""
    if silence.ended_at is None:
        silence.ended_at = session.execute(select(database_now())).scalar_one()
    session.flush()


def check_silence(fields: Mapping[str, Any]) -> None:
    """Raise Invalid where a silence's fields do not go together."""
    if fault := find_matchers_fault(fields["matchers"]):
        raise Invalid(errors=[FieldError("matchers", fault)])
    length: timedelta = fields["ends_at"] - fields["starts_at"]
    if length <= timedelta(0):
        raise Invalid(errors=[FieldError("ends_at", "Must be later than starts_at.")])
    if fields.get("repeats") and length >= REPEATS[fields["repeats"]]:
        raise Invalid(errors=[FieldError("ends_at", "Must be before it repeats.")])


def ask_for_trial(
    session: Session, place: Place, caller: Principal, fields: dict[str, Any], rule: AlertRule | None, span: Any
) -> tuple[AlertTrial, UUID]:
    """Write a trial of a rule on the past and its job, and return both; raises Invalid for one that is too long."""
    check_rule(fields)
    if span.end - span.start > LONGEST_TRIAL:
        raise Invalid(errors=[FieldError("start", "A trial goes back at most 90 days.")])
    if (span.end - span.start) / fields["interval_seconds"] > MOST_TRIAL_STEPS:
        raise Invalid(errors=[FieldError("start", f"A trial has at most {MOST_TRIAL_STEPS} steps.")])
    trial = AlertTrial(**_lying(place), proposed=fields, start=span.start, end=span.end, created_by=caller.user_id)
    trial.rule_id = rule.id if rule else None
    session.add(trial)
    session.flush()
    session.refresh(trial)
    job_id = jobs.accept(
        session,
        TryRule(trial.id),
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        cluster_id=place.cluster_id,
        created_by=caller.user_id,
        resource=("alert_trial", trial.id),
    )
    return trial, job_id


def _lying(place: Place) -> dict[str, Any]:
    names = ("organization_id", "workspace_id", "cluster_id")
    return {name: getattr(place, name) for name in names}


def forget_alerts(session: Session, days: int, limit: int = 1000) -> int:
    """Delete some alerts that have been over for so many days, with their stories; returns how many."""
    old = select(Alert.id).where(Alert.resolved_at < database_now() - sql_days(days)).limit(limit)
    gone = delete(Alert).where(Alert.id.in_(old)).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
