"""Alertmanager's webhook: its alerts become ours, and are muted and told as ours are. The payload is version 4:
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. The session comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.kernel.ids import new_id
from app.monitoring.alerting import story
from app.monitoring.alerting.episodes import FIRING, RESOLVED
from app.monitoring.alerting.evaluating import LONGEST_TEXT, fingerprint_of
from app.monitoring.alerting.groups import join_group
from app.monitoring.models import ALERTMANAGER, Alert
from app.monitoring.writing import Place

SEVERITIES: Final = {
    "critical": "critical",
    "page": "critical",
    "error": "critical",
    "high": "critical",
    "emergency": "critical",
    "info": "info",
    "none": "info",
    "low": "info",
    "information": "info",
}


def ingest(session: Session, place: Place, alerts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Take alerts in; returns how many began, were known already, and are over. What is over and was never known is
    passed over, so that a message may come twice."""
    now: datetime = session.execute(select(database_now())).scalar_one()
    given = {_key_of(place, one): one for one in alerts}
    mine = (Alert.organization_id == place.organization_id, Alert.fingerprint.in_(list(given)))
    rows = select(Alert).where(*mine, Alert.status != RESOLVED).order_by(Alert.id).with_for_update()
    known = {bytes(alert.fingerprint): alert for alert in session.scalars(rows)}
    told = {"received": len(alerts), "fired": 0, "refreshed": 0, "resolved": 0}
    for key, one in given.items():
        told[_take(session, place, key, one, known.get(key), now)] += 1
    session.flush()
    return {name: told[name] for name in ("received", "fired", "refreshed", "resolved")}


def _key_of(place: Place, one: Mapping[str, Any]) -> bytes:
    inner = {"workspace_id": str(place.workspace_id), "cluster_id": str(place.cluster_id)}
    return fingerprint_of({**one["labels"], **{f"/{name}": value for name, value in inner.items()}}, None)


def _take(
    session: Session, place: Place, key: bytes, one: Mapping[str, Any], known: Alert | None, now: datetime
) -> str:
    if one["status"] == RESOLVED:
        if known is None:
            return "refreshed"
        known.status, known.resolved_at = RESOLVED, min(one.get("ends_at", now), now)
        story.note(session, known.id, story.OVER, reason="Alertmanager said so.")
        join_group(session, known, None, now)
        return "resolved"
    if known is not None:
        known.violated_at = now
        return "refreshed"
    alert = _make(place, key, one, now)
    session.add(alert)
    session.flush()
    received = {"labels": one["labels"], "annotations": one["annotations"], "url": one.get("generator_url")}
    story.note(session, alert.id, story.FIRED, source=ALERTMANAGER, received=received)
    join_group(session, alert, None, now)
    return "fired"


def _make(place: Place, key: bytes, one: Mapping[str, Any], now: datetime) -> Alert:
    labels, annotations = one["labels"], one["annotations"]
    name = labels.get("alertname", "alert")
    began = min(one.get("starts_at", now), now)
    return Alert(
        id=new_id(),
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        cluster_id=place.cluster_id,
        source=ALERTMANAGER,
        name=name,
        labels=dict(labels),
        fingerprint=key,
        severity=SEVERITIES.get(labels.get("severity", "").lower(), "warning"),
        status=FIRING,
        title=(annotations.get("summary") or annotations.get("title") or name)[:LONGEST_TEXT],
        description=(annotations.get("description") or annotations.get("message") or "")[:LONGEST_TEXT],
        pending_at=began,
        violated_at=now,
        fired_at=began,
    )
