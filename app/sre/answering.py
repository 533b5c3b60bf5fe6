"""What lower rooms ask of SRE: for alert rules, which anomalies series have."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.monitoring import tells_anomalies
from app.sre.models import Anomaly

FOREVER = 1e18


@tells_anomalies
def find_anomalies(
    session: Session, series_ids: Collection[int], start: float, end: float
) -> dict[int, list[tuple[float, float, float]]]:
    """Return for each series when its anomalies were certain, until when they lasted, and their scores; one that is
    open lasts on."""
    since, until = (datetime.fromtimestamp(one, UTC) for one in (start, end))
    rows = select(Anomaly).where(Anomaly.series_id.in_(series_ids), Anomaly.detected_at <= until)
    found: dict[int, list[tuple[float, float, float]]] = {}
    for one in session.scalars(rows.where(or_(Anomaly.is_open, Anomaly.end >= since))):
        lasts = FOREVER if one.is_open else one.end.timestamp()
        found.setdefault(one.series_id or 0, []).append((one.detected_at.timestamp(), lasts, one.score))
    return found
