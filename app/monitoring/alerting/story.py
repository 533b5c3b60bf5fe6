"""The story of an alert: each step with what decided it, so that one reading tells why it was told, or was not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.monitoring.models import Alert, AlertStep
from app.notifications import outcomes_of

BEGAN: Final = "pending"
FIRED: Final = "fired"
GROUPED: Final = "grouped"
MUTED: Final = "muted"
TOLD: Final = "told"
ATTEMPTED: Final = "attempted"
ACKNOWLEDGED: Final = "acknowledged"
OVER: Final = "resolved"
UNTOLD: Final = "not_told"

FIRST_STEPS: Final = 20
NEWEST_STEPS: Final = 480
AT_ONCE: Final = 1000

Step = tuple[UUID, str, Mapping[str, Any]]
"""An alert's id, a step of it, and what decided that."""


def note(session: Session, alert_id: UUID, step: str, /, **detail: Any) -> None:
    """Add a step to an alert's story."""
    session.add(AlertStep(alert_id=alert_id, step=step, detail=detail))


def note_many(session: Session, steps: Iterable[Step]) -> None:
    """Add steps to the stories of several alerts, behind what was noted of them before."""
    session.flush()
    rows = [{"alert_id": alert_id, "step": step, "detail": dict(detail)} for alert_id, step, detail in steps]
    if rows:
        session.execute(insert(table_of(AlertStep)), rows)


def note_once(session: Session, steps: Sequence[Step]) -> None:
    """Add those of the steps with which their stories do not end: what is looked at again and again is told once."""
    session.flush()
    for first in range(0, len(steps), AT_ONCE):
        some = steps[first : first + AT_ONCE]
        theirs = AlertStep.alert_id.in_([alert_id for alert_id, _, _ in some])
        ends = select(func.max(AlertStep.id)).where(theirs).group_by(AlertStep.alert_id)
        found = session.scalars(select(AlertStep).where(AlertStep.id.in_(ends)))
        known = {one.alert_id: (one.step, one.detail) for one in found}
        note_many(session, [one for one in some if known.get(one[0]) != one[1:]])


def record_attempts(
    session: Session, alert_ids: Iterable[UUID], route: Mapping[str, Any], outcome: str, **detail: Any
) -> None:
    """Add to the stories of alerts that somebody was to be told of them, and with what outcome: for whoever
    delivers."""
    said = {"route": dict(route), "outcome": outcome, **detail}
    note_many(session, [(alert_id, ATTEMPTED, said) for alert_id in alert_ids])


def newest_routes(session: Session, alert_id: UUID) -> list[Mapping[str, Any]]:
    """Return the routes by which an alert was last told."""
    told = select(AlertStep.detail).where(AlertStep.alert_id == alert_id, AlertStep.step == TOLD)
    newest = session.scalars(told.order_by(AlertStep.id.desc()).limit(1)).first() or {}
    return list(newest.get("routes", ()))


def read_story(session: Session, alert: Alert) -> list[AlertStep]:
    """Return an alert's steps, oldest first; of a long story its beginning and its end."""
    mine = select(AlertStep).where(AlertStep.alert_id == alert.id)
    ends = mine.order_by(AlertStep.id).limit(FIRST_STEPS), mine.order_by(AlertStep.id.desc()).limit(NEWEST_STEPS)
    found = {step.id: step for end in ends for step in session.scalars(end)}
    return [found[one] for one in sorted(found)]


def with_deliveries(session: Session, steps: Iterable[AlertStep]) -> list[dict[str, Any]]:
    """Return steps as they are shown: an attempt with what has become of it since, by `outcomes_of` notifications."""
    shown: list[dict[str, Any]] = [{"at": step.at, "step": step.step, "detail": dict(step.detail)} for step in steps]
    named = [one["detail"] for one in shown if "notification_id" in one["detail"]]
    outcomes = outcomes_of(session, [UUID(detail["notification_id"]) for detail in named]) if named else {}
    for detail in named:
        detail["delivery"] = outcomes.get(UUID(detail["notification_id"]))
    return shown


def explain(alert: Alert, steps: Iterable[AlertStep]) -> str:
    """Return in a sentence why an alert was told, or was not."""
    if alert.told_at is not None:
        return "It was told: it fired, and nothing muted it."
    for step in reversed(list(steps)):
        if step.step in (MUTED, UNTOLD):
            return f"It was not told: {step.detail.get('reason', '')}"
    return "It is not told yet: its condition has not held for long enough, or its group waits for more."
