"""What is read of rules, alerts and silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.monitoring.alerting.episodes import FIRING
from app.monitoring.models import Alert, AlertRule, Silence

EQUAL: Final = (
    *("organization_id", "workspace_id", "cluster_id", "kind", "severity", "status", "source", "rule_id", "group_id"),
    *("enabled",),
)


def _visible(model: Any, caller: Principal, filters: Mapping[str, Any], *searched: Any) -> Select[Any]:
    places = (model.organization_id, model.workspace_id, model.cluster_id)
    equal = (getattr(model, name) == filters[name] for name in EQUAL if name in filters)
    rows = select(model).where(visible(caller, "alerts:read", *places), *equal)
    if "search" in filters:
        rows = rows.where(or_(*(column.icontains(filters["search"], autoescape=True) for column in searched)))
    return rows


def visible_rules(caller: Principal, filters: Mapping[str, Any]) -> Select[AlertRule]:
    """Select the rules that a caller may read."""
    return _visible(AlertRule, caller, filters, AlertRule.name)


def visible_silences(caller: Principal, filters: Mapping[str, Any]) -> Select[Silence]:
    """Select the silences that a caller may read."""
    return _visible(Silence, caller, filters)


def visible_alerts(caller: Principal, filters: Mapping[str, Any]) -> Select[Alert]:
    """Select the alerts that a caller may read."""
    rows: Select[Alert] = _visible(Alert, caller, filters, Alert.name, Alert.title)
    if "acknowledged" in filters:
        is_known = Alert.acknowledged_at.is_not(None)
        rows = rows.where(is_known if filters["acknowledged"] else ~is_known)
    return rows


def firing_alerts(session: Session, organization_id: UUID, *where: ColumnElement[bool], most: int) -> list[Alert]:
    """Return the alerts of an organization that fire, of those that are chosen the oldest."""
    mine = select(Alert).where(Alert.organization_id == organization_id, Alert.status == FIRING, *where)
    return list(session.scalars(mine.order_by(Alert.fired_at, Alert.id).limit(most)))
