"""Groups: alerts that are told together, when, and what mutes them. The session comes first; nothing here commits."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.db import set_apart, table_of
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.kernel.outages import CONTENDED, SLOW, outage_of
from app.monitoring.alerting import routing, story
from app.monitoring.alerting.episodes import FIRING, RESOLVED
from app.monitoring.alerting.matching import is_in_force, is_inhibited, matches
from app.monitoring.alerting.routing import Telling
from app.monitoring.events import AlertResolved, AlertTriggered
from app.monitoring.models import RULE, Alert, AlertGroup, AlertRule, Silence

FAULT_PAUSE: Final = timedelta(hours=1)
CONTENDED_PAUSE: Final = timedelta(seconds=5)
# A room that somebody else writes in for longer is told later.
LONGEST_WAIT: Final = "2s"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """How alerts of a group are told: by which labels they are one, how long the first waits for others, seconds
    between two tellings, seconds until the same is told again, and where to."""

    by: tuple[str, ...] = ("alertname",)
    wait: float = 30.0
    interval: float = 300.0
    repeat: float = 14_400.0
    routes: tuple[Mapping[str, Any], ...] = ()


def manner_of(rule: AlertRule | None) -> Manner:
    """Return how a rule wants its alerts to be told; those of an Alertmanager, which has grouped them, at once."""
    if rule is None:
        return Manner(wait=0.0, interval=0.0)
    return Manner(
        by=tuple(rule.group_by),
        wait=float(rule.group_wait_seconds),
        interval=float(rule.group_interval_seconds),
        repeat=float(rule.repeat_seconds),
        routes=tuple(rule.routes),
    )


def join_group(session: Session, alert: Alert, rule: AlertRule | None, now: datetime) -> None:
    """Put an alert that has begun, or is over, into its group, and see that this is looked at in time."""
    manner = manner_of(rule)
    labels = {name: alert.labels.get(name, "") for name in manner.by}
    group = _find(session, alert, labels)
    is_new = alert.group_id != group.id
    due = now + timedelta(seconds=manner.wait)
    if group.told_at is not None:
        due = max(now, group.told_at + timedelta(seconds=manner.interval))
    group.due_at = due if group.due_at is None else min(group.due_at, due)
    if is_new:
        alert.group_id = group.id
        story.note(session, alert.id, story.GROUPED, group_id=str(group.id), labels=labels, due_at=due.isoformat())
    session.flush()


def _find(session: Session, alert: Alert, labels: Mapping[str, str]) -> AlertGroup:
    said = json.dumps([str(alert.rule_id), alert.source, sorted(labels.items())])
    key = hashlib.blake2b(said.encode(), digest_size=16).digest()
    row = {"id": new_id(), "organization_id": alert.organization_id, "rule_id": alert.rule_id, "key": key}
    made = insert(table_of(AlertGroup)).values(**row, labels=labels)
    session.execute(made.on_conflict_do_nothing(index_elements=["organization_id", "key"]))
    mine = select(AlertGroup).where(AlertGroup.organization_id == alert.organization_id, AlertGroup.key == key)
    return session.scalars(mine.with_for_update().execution_options(populate_existing=True)).one()


def tell_due(session: Session) -> bool:
    """Tell of the group that is due for longest; False where none is. It is one alone, since until the transaction ends
    nobody else writes in the rooms that are told."""
    due = select(AlertGroup).where(AlertGroup.due_at <= database_now()).order_by(AlertGroup.due_at)
    group = session.scalars(due.limit(1).with_for_update(skip_locked=True)).one_or_none()
    if group is None:
        return False
    group_id, now = group.id, session.execute(select(database_now())).scalar_one()
    session.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'"))
    try:
        with set_apart(session):
            _tell(session, group, now)
    except Exception as error:
        outage = outage_of(error)
        if outage not in (None, CONTENDED, SLOW):
            # The database itself is away; whatever is written here is lost.
            raise
        # One organization's alerts must not keep those of all others from being told.
        log.exception("a group of alerts could not be told", extra={"group_id": str(group_id)})
        group.due_at = now + (FAULT_PAUSE if outage is None else CONTENDED_PAUSE)
    session.flush()
    return True


def _tell(session: Session, group: AlertGroup, now: datetime) -> None:
    rule = session.get(AlertRule, group.rule_id) if group.rule_id else None
    mine = select(Alert).where(Alert.group_id == group.id, Alert.status.in_((FIRING, RESOLVED)), ~Alert.settled)
    # Whoever changes an alert locks it before its group: waiting for it here, the two would wait for each other.
    alerts = session.scalars(mine.order_by(Alert.id).with_for_update(nowait=True, key_share=True)).all()
    manner = manner_of(rule) if rule else _manner_without(session, alerts)
    mutes = _Mutes.read(session, group.organization_id, now)
    told = [one for alert in alerts if (one := _tell_one(session, alert, manner, mutes, now))]
    story.note_once(session, mutes.noted)
    if told:
        group.told_at = now
    routing.tell(session, group.organization_id, manner.routes, told)
    group.due_at = _next(alerts, manner, now)


def _manner_without(session: Session, alerts: Sequence[Alert]) -> Manner:
    """Return how alerts without a rule are told: where it was deleted, that they are over to whom they were told."""
    told = [(alert.told_at, alert.id) for alert in alerts if alert.source == RULE and alert.told_at is not None]
    routes = story.newest_routes(session, max(told)[1]) if told else []
    return replace(manner_of(None), routes=tuple(routes))


def _next(alerts: Iterable[Alert], manner: Manner, now: datetime) -> datetime | None:
    """Return when a group is looked at again: those that are muted soon, those that were told when that is repeated."""
    soon, repeat = timedelta(seconds=max(manner.interval, 60.0)), timedelta(seconds=manner.repeat)
    firing = [alert for alert in alerts if alert.status == FIRING and alert.acknowledged_at is None]
    return min((now + soon if alert.told_at is None else alert.told_at + repeat for alert in firing), default=None)


def _tell_one(session: Session, alert: Alert, manner: Manner, mutes: _Mutes, now: datetime) -> Telling | None:
    if alert.status == RESOLVED:
        return _tell_end(session, alert, manner)
    if alert.acknowledged_at is not None:
        mutes.note(alert, {"reason": "Somebody has acknowledged it.", "by": "acknowledgement"})
        return None
    repeated = alert.told_at is not None
    if alert.told_at is not None and now < alert.told_at + timedelta(seconds=manner.repeat):
        return None
    if muted := mutes.find(alert):
        mutes.note(alert, muted)
        return None
    alert.told_at = now
    announce(session, AlertTriggered(**_said(alert, manner), repeated=repeated))
    routes = [dict(one) for one in manner.routes]
    story.note(session, alert.id, story.TOLD, event="alert.triggered", repeated=repeated, routes=routes)
    return Telling(alert, is_over=False)


def _tell_end(session: Session, alert: Alert, manner: Manner) -> Telling | None:
    alert.settled = True
    if alert.told_at is None:
        story.note(session, alert.id, story.UNTOLD, reason="It was over before it could be told.")
        return None
    announce(session, AlertResolved(**_said(alert, manner)))
    story.note(session, alert.id, story.TOLD, event="alert.resolved", routes=[dict(one) for one in manner.routes])
    return Telling(alert, is_over=True)


def _said(alert: Alert, manner: Manner) -> dict[str, Any]:
    same = ("organization_id", "rule_id", "group_id", "workspace_id", "cluster_id", "name", "severity", "labels")
    said = {name: getattr(alert, name) for name in (*same, "title", "description", "value")}
    return said | {"alert_id": alert.id, "routes": [dict(one) for one in manner.routes]}


@dataclass(frozen=True, slots=True)
class _Mutes:
    """What mutes alerts of an organization at a moment: silences, and alerts that inhibit others; `noted` is what was
    muted, for the stories."""

    silences: Sequence[Silence]
    inhibiting: Sequence[tuple[Alert, Mapping[str, Any]]]
    noted: list[story.Step] = field(default_factory=list)

    @classmethod
    def read(cls, session: Session, organization_id: UUID, now: datetime) -> _Mutes:
        """Read what is in force."""
        rows = select(Silence).where(Silence.organization_id == organization_id, Silence.starts_at <= now)
        rows = rows.where(or_(Silence.ended_at.is_(None), Silence.ended_at > now))
        rows = rows.where(or_(Silence.ends_at > now, Silence.repeats.is_not(None))).order_by(Silence.id)
        silences = [one for one in session.scalars(rows) if is_in_force(one.starts_at, one.ends_at, one.repeats, now)]
        firing = select(Alert, AlertRule.inhibits).join(AlertRule, Alert.rule_id == AlertRule.id)
        firing = firing.where(Alert.organization_id == organization_id, Alert.status == FIRING)
        found = session.execute(firing.where(AlertRule.inhibits.is_not(None))).all()
        return cls(silences, [(alert, inhibits) for alert, inhibits in found if inhibits])

    def note(self, alert: Alert, why: Mapping[str, Any]) -> None:
        """Note that an alert was muted."""
        self.noted.append((alert.id, story.MUTED, why))

    def find(self, alert: Alert) -> dict[str, Any] | None:
        """Return what mutes an alert, if anything does, as its story tells it."""
        for silence in self.silences:
            if _lies_in(alert, silence) and matches(silence.matchers, alert.labels):
                reason = f"A {silence.kind} holds: {silence.comment}"
                return {"reason": reason, "by": silence.kind, "silence_id": str(silence.id)}
        for other, inhibits in self.inhibiting:
            if other.id != alert.id and is_inhibited(alert.labels, inhibits, other.labels):
                reason = f"While {other.name} fires, it is muted."
                return {"reason": reason, "by": "inhibition", "alert_id": str(other.id)}
        return None


def find_muted(session: Session, organization_id: UUID, alerts: Iterable[Alert], now: datetime) -> set[UUID]:
    """Return which of an organization's alerts silences, maintenance or other alerts mute at a moment."""
    mutes = _Mutes.read(session, organization_id, now)
    return {alert.id for alert in alerts if mutes.find(alert)}


def _lies_in(alert: Alert, silence: Silence) -> bool:
    inner = ("workspace_id", "cluster_id")
    return all(getattr(silence, name) in (None, getattr(alert, name)) for name in inner)
