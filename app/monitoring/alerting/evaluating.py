"""Live rules: at each step of its interval a rule is looked at once, whoever looks and however late. The session comes
first; nothing here commits."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.errors import Refusal
from app.kernel.ids import new_id
from app.monitoring.alerting import story
from app.monitoring.alerting.conditions import ANOMALY, Condition, Finding, compare, find
from app.monitoring.alerting.episodes import FIRING, PENDING, RESOLVED, Episode, Patience, advance
from app.monitoring.alerting.groups import join_group
from app.monitoring.charts import labels_of
from app.monitoring.language import Selector, parse, selector_of
from app.monitoring.models import RULE, Alert, AlertRule, MetricSeries
from app.monitoring.points import MICRO, Floats, Points
from app.monitoring.reading import matching, read_points, take_series

RULES_AT_ONCE: Final = 20
# Who was away for longer goes on from here: what was then is history.
MOST_STEPS: Final = 60
SHOWN_SAMPLES: Final = 10
LONGEST_TEXT: Final = 4_000
FAULT: Final = "It could not be worked out, or took too long; it is tried again."
_PLACE: Final = re.compile(r"\{\{([^{}]{1,100})\}\}")

Scored = Mapping[int, Sequence[tuple[float, float, float]]]
Anomalies = Callable[[Session, Collection[int], float, float], Scored]

_anomalies: list[Anomalies] = []


def tells_anomalies(provider: Anomalies) -> Anomalies:
    """Register who knows the anomalies of series: given their ids and a time, it returns for each when it was certain,
    until when it lasted, and its score."""
    _anomalies.append(provider)
    return provider


def condition_of(rule: Mapping[str, Any]) -> Condition:
    """Return the condition that the fields of a rule say; raises QueryInvalid."""
    return Condition(
        rule["kind"],
        parse(rule["query"]),
        rule["operator"],
        rule["threshold"],
        float(rule["window_seconds"]),
        rule["percent"],
    )


def fields_of(rule: AlertRule) -> dict[str, Any]:
    """Return the fields of a rule that `condition_of` and a trial read."""
    names = ("kind", "query", "operator", "threshold", "window_seconds", "percent", "for_seconds", "keep_seconds")
    return {name: getattr(rule, name) for name in (*names, "interval_seconds")}


def find_all(session: Session, rows: Select[MetricSeries], condition: Condition, steps: Floats) -> list[Finding]:
    """Return what a condition says of a selection of series at some steps."""
    if condition.kind == ANOMALY:
        return _find_anomalies(session, rows, condition, steps)

    def source(selector: Selector, after: float, until: float) -> list[tuple[Mapping[str, str], Points]]:
        found = take_series(session, matching(rows, selector))
        points = read_points(session, [row.id for row in found], after * MICRO, until * MICRO)
        return [(labels_of(row), points[row.id]) for row in found]

    return find(condition, steps, source)


def _find_anomalies(session: Session, rows: Select[MetricSeries], condition: Condition, steps: Floats) -> list[Finding]:
    series = take_series(session, matching(rows, selector_of(condition.query)))
    known: dict[int, list[tuple[float, float, float]]] = {row.id: [] for row in series}
    for provider in _anomalies:
        for series_id, some in provider(session, list(known), float(steps[0]), float(steps[-1])).items():
            known[series_id] += some
    findings = []
    for row in series:
        values = np.full(len(steps), np.nan)
        for since, until, score in known[row.id]:
            values[(steps >= since) & (steps <= until)] = score
        findings.append(Finding(labels_of(row), values, compare(condition, values)))
    return findings


def series_of(rule: Any) -> Select[MetricSeries]:
    """Select the series that a rule, or a trial, may be about: those of its place."""
    rows = select(MetricSeries).where(MetricSeries.organization_id == rule.organization_id)
    for name in ("workspace_id", "cluster_id"):
        if (inner := getattr(rule, name)) is not None:
            rows = rows.where(getattr(MetricSeries, name) == inner)
    return rows


def take_due_rules(session: Session) -> list[UUID]:
    """Take some rules that are due, by moving their next time on; returns their ids."""
    due = select(AlertRule).where(AlertRule.enabled, AlertRule.next_run_at <= database_now())
    rules = session.scalars(
        due.order_by(AlertRule.next_run_at).limit(RULES_AT_ONCE).with_for_update(skip_locked=True)
    ).all()
    for rule in rules:
        rule.next_run_at = database_now() + timedelta(seconds=rule.interval_seconds)
    session.flush()
    return [rule.id for rule in rules]


def evaluate_rule(session: Session, rule_id: UUID, now: datetime | None = None) -> bool:
    """Look at the steps of a rule that nobody has looked at yet, up to now; False where there are none.

    A rule that cannot be worked out says why in `error`, and is tried again.
    """
    rule = session.get(AlertRule, rule_id, with_for_update=True, populate_existing=True)
    if rule is None or not rule.enabled:
        return False
    now = now or session.execute(select(database_now())).scalar_one()
    steps = _steps_of(rule, now.timestamp())
    if not len(steps):
        return False
    try:
        findings = find_all(session, series_of(rule), condition_of(fields_of(rule)), steps)
    except Refusal as refusal:
        rule.error = "; ".join(one.message for one in refusal.errors) or refusal.message
        return False
    rule.error, rule.evaluated_at = None, float(steps[-1])
    _follow(session, rule, steps, findings, now)
    session.flush()
    return True


def note_fault(session: Session, rule_id: UUID) -> None:
    """Say of a rule that it could not be worked out, in a way nobody foresaw."""
    session.execute(update(AlertRule).where(AlertRule.id == rule_id).values(error=FAULT))


def _steps_of(rule: AlertRule, now: float) -> Floats:
    interval = rule.interval_seconds
    last = math.floor(now / interval) * interval
    known = last - interval if rule.evaluated_at is None else rule.evaluated_at
    count = min(int((last - known) // interval), MOST_STEPS)
    return last - interval * np.arange(count - 1, -1, -1.0)


@dataclass(slots=True)
class _Look:
    """One look at a rule: what does not change from series to series."""

    session: Session
    rule: AlertRule
    steps: Floats
    now: datetime
    patience: Patience


def _follow(session: Session, rule: AlertRule, steps: Floats, findings: Sequence[Finding], now: datetime) -> None:
    look = _Look(session, rule, steps, now, Patience(rule.for_seconds, rule.keep_seconds))
    active = select(Alert).where(Alert.rule_id == rule.id, Alert.status != RESOLVED).with_for_update()
    alerts = {bytes(alert.fingerprint): alert for alert in session.scalars(active)}
    for finding in findings:
        labels = {**finding.labels, **rule.labels, "alertname": rule.name, "severity": rule.severity}
        labels.pop("__name__", None)
        alert = alerts.pop(fingerprint_of(labels, rule.id), None)
        if alert is not None or finding.violated.any():
            _walk(look, labels, finding, alert)
    calm = np.zeros(len(steps), bool)
    for alert in alerts.values():
        _walk(look, alert.labels, Finding({}, np.full(len(steps), np.nan), calm), alert)


def fingerprint_of(labels: Mapping[str, str], rule_id: UUID | None) -> bytes:
    """Return what tells alerts apart: their labels, and the rule that they are of."""
    said = json.dumps([str(rule_id), sorted(labels.items())])
    return hashlib.blake2b(said.encode(), digest_size=16).digest()


def _walk(look: _Look, labels: Mapping[str, str], finding: Finding, alert: Alert | None) -> None:
    """Let an alert go through the steps; one that is over may be followed by another."""
    for at, step in enumerate(look.steps.tolist()):
        before = None if alert is None else _episode_of(alert)
        after = advance(before, step, violated=bool(finding.violated[at]), patience=look.patience)
        if after is None:
            if alert is not None and alert.status == PENDING:
                look.session.delete(alert)
                look.session.flush()
            alert = None
            continue
        if alert is None:
            alert = _open(look, labels, after)
            story.note(look.session, alert.id, story.BEGAN, **_evidence(look, finding, at))
        _write(look, alert, before, after, finding, at)


def _episode_of(alert: Alert) -> Episode:
    fired = None if alert.fired_at is None else alert.fired_at.timestamp()
    return Episode(alert.status, alert.pending_at.timestamp(), alert.violated_at.timestamp(), fired)


def _open(look: _Look, labels: Mapping[str, str], episode: Episode) -> Alert:
    rule = look.rule
    alert = Alert(
        id=new_id(),
        organization_id=rule.organization_id,
        workspace_id=rule.workspace_id,
        cluster_id=rule.cluster_id,
        rule_id=rule.id,
        source=RULE,
        name=rule.name,
        labels=dict(labels),
        fingerprint=fingerprint_of(labels, rule.id),
        severity=rule.severity,
        status=PENDING,
        title=_fill(rule.title or rule.name, labels),
        description=_fill(rule.description, labels),
        pending_at=_moment(episode.pending_at),
        violated_at=_moment(episode.violated_at),
    )
    look.session.add(alert)
    look.session.flush()
    return alert


def _fill(text: str, labels: Mapping[str, str]) -> str:
    """Return a text with `{{label}}` replaced, once: a value that names other labels would grow with each of them."""
    return _PLACE.sub(lambda found: labels.get(found[1], found[0]), text)[:LONGEST_TEXT]


def _write(look: _Look, alert: Alert, before: Episode | None, after: Episode, finding: Finding, at: int) -> None:
    value = float(finding.values[at])
    if finding.violated[at] and not math.isnan(value):
        alert.value = value
    alert.status, alert.violated_at = after.status, _moment(after.violated_at)
    if after.status == FIRING and (before is None or before.status == PENDING):
        alert.fired_at = _moment(after.fired_at or 0.0)
        story.note(look.session, alert.id, story.FIRED, **_evidence(look, finding, at))
        join_group(look.session, alert, look.rule, look.now)
    if after.status == RESOLVED:
        alert.resolved_at = _moment(after.resolved_at or 0.0)
        story.note(look.session, alert.id, story.OVER, reason="The condition does not hold any more.")
        join_group(look.session, alert, look.rule, look.now)
    look.session.flush()


def _evidence(look: _Look, finding: Finding, at: int) -> dict[str, Any]:
    """Return what decided a step: the rule as it was, and the newest values up to then."""
    begin = max(0, at + 1 - SHOWN_SAMPLES)
    values = zip(look.steps[begin : at + 1].tolist(), finding.values[begin : at + 1].tolist(), strict=True)
    samples = [[step, value] for step, value in values if not math.isnan(value)]
    rule = look.rule
    said = {"kind": rule.kind, "query": rule.query, "operator": rule.operator, "threshold": rule.threshold}
    return {"rule": said | {"for_seconds": rule.for_seconds}, "samples": samples, "at": float(look.steps[at])}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
