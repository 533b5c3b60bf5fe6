"""Judging: what a worker does for each series of a scan. Reading, judging and keeping are apart, so that no transaction
is open while an array is worked on.

A stored series has a state, and that a version: who keeps a judgement takes the version that was read, and finds it
taken where another scan was quicker. Then it reads anew, and judges what is left. So no point is ever judged twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, format_time
from app.kernel.db import table_of
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.monitoring import MICRO, Points, QueryTooWide, pack_columns, read_points, unpack
from app.sre.detection import Anomaly as Found
from app.sre.detection import BadState, Judgement, State, judge
from app.sre.errors import ScanTooLong
from app.sre.events import AnomalyDetected
from app.sre.models import Anomaly, Scan, ScanSeries, SeriesState

log = logging.getLogger(__name__)

_SERIES = table_of(ScanSeries)
_ANOMALIES = table_of(Anomaly)
_EVER: Final = float(2**62)


@dataclass(frozen=True, slots=True)
class Part:
    """A series of a scan with the points to be judged, and the state of a stored one as it was read."""

    position: int
    series: str
    series_id: int | None
    points: Points
    state: bytes | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A part, and what was judged of it."""

    part: Part
    judgement: Judgement


def read_parts(session: Session, scan: Scan, positions: Sequence[int]) -> list[Part]:
    """Return some series of a scan, as they are to be judged; raises QueryTooWide where one has too many new points."""
    mine = (ScanSeries.scan_id == scan.id, ScanSeries.scanned_at == scan.created_at)
    rows = session.scalars(select(ScanSeries).where(*mine, ScanSeries.position.in_(positions), _unjudged()))
    return [_read_part(session, scan, row) for row in rows]


def _unjudged() -> Any:
    return ScanSeries.points.is_(None)


def _read_part(session: Session, scan: Scan, row: ScanSeries) -> Part:
    if row.series_id is None:
        return Part(row.position, row.series, None, unpack(row.given or b"\0"))
    known = session.execute(select(SeriesState).where(SeriesState.series_id == row.series_id)).scalar_one_or_none()
    # The detector counts whole seconds: what follows within the last one is judged already.
    after = -1.0 if known is None else (known.judged_until + 1) * MICRO - 1.0
    until = _EVER if scan.until is None else float(scan.until)
    try:
        points = read_points(session, [row.series_id], after, until)[row.series_id]
    except QueryTooWide as error:
        raise ScanTooLong(f"{row.series} has too many new samples for one scan.", **error.details) from None
    if known is None:
        return Part(row.position, row.series, row.series_id, points)
    return Part(row.position, row.series, row.series_id, points, known.state, known.version)


def judge_part(part: Part) -> Judged:
    """Judge a series' new points; nothing is read or written."""
    return Judged(part, judge(_open_state(part), part.points.times // MICRO, part.points.values))


def _open_state(part: Part) -> State | None:
    """Return what is remembered of a series; what another version remembered is learned anew."""
    try:
        return None if part.state is None else State.from_bytes(part.state)
    except BadState:
        log.warning("the state of a series cannot be read", extra={"series": part.series_id})
        return None


def keep_judged(session: Session, scan: Scan, judged: Iterable[Judged]) -> list[int]:
    """Keep judgements, each if nobody else has judged the series meanwhile; returns the positions of those that are to
    be read anew."""
    return [one.part.position for one in judged if not _keep(session, scan, one)]


def _keep(session: Session, scan: Scan, judged: Judged) -> bool:
    part, judgement = judged.part, judged.judgement
    if part.series_id is not None and len(judgement.times) and not _advance(session, part, judgement):
        return False
    opened = _keep_anomalies(session, scan, part, judgement.anomalies)
    packed = pack_columns(judgement.times, judgement.scores) if len(judgement.times) else None
    values = {"scores": packed, "points": len(judgement.times), "anomalies": opened, "given": None}
    mine = (_SERIES.c.scan_id == scan.id, _SERIES.c.position == part.position)
    session.execute(update(_SERIES).where(*mine, _SERIES.c.scanned_at == scan.created_at).values(values))
    return True


def _advance(session: Session, part: Part, judgement: Judgement) -> bool:
    """Put the new state in the place of the one that was read; False where that is not there any more."""
    values = {
        "state": judgement.state.to_bytes(),
        "judged_until": int(judgement.times[-1]),
        "version": part.version + 1,
        "updated_at": database_now(),
    }
    states = table_of(SeriesState)
    statement: Any
    if part.version:
        mine = (states.c.series_id == part.series_id, states.c.version == part.version)
        statement = update(states).where(*mine).values(values)
    else:
        statement = insert(states).values(series_id=part.series_id, **values).on_conflict_do_nothing()
    return bool(session.execute(statement.returning(states.c.series_id)).first())


def _keep_anomalies(session: Session, scan: Scan, part: Part, found: Sequence[Found]) -> int:
    """Write new anomalies and what has changed of older ones; returns how many are new."""
    opened = 0
    for one in found:
        anomaly_id = new_id()
        kept = session.execute(_upsert(scan, part, one, anomaly_id)).scalar_one()
        if kept == anomaly_id:
            opened += 1
            announce(session, _event(scan, part, one, anomaly_id))
    return opened


def _upsert(scan: Scan, part: Part, found: Found, anomaly_id: UUID) -> Any:
    changing = {
        "end": _moment(found.end),
        "peak": found.peak,
        "score": found.score,
        "severity": str(found.severity),
        "low": found.expected.low,
        "high": found.expected.high,
        "reason": found.reason,
        "is_open": found.is_open,
    }
    fixed = {
        "id": anomaly_id,
        "organization_id": scan.organization_id,
        "workspace_id": scan.workspace_id,
        "cluster_id": scan.cluster_id,
        "scan_id": scan.id,
        "series": part.series,
        "series_id": part.series_id,
        "start": _moment(found.start),
        "detected_at": _moment(found.detected_at),
    }
    key = ["scan_id", "series", "start"] if part.series_id is None else ["series_id", "start"]
    is_stored = _ANOMALIES.c.series_id.is_(None) if part.series_id is None else _ANOMALIES.c.series_id.is_not(None)
    given = insert(_ANOMALIES).values(**fixed, **changing)
    known = given.on_conflict_do_update(index_elements=key, index_where=is_stored, set_=changing)
    return known.returning(_ANOMALIES.c.id)


def _event(scan: Scan, part: Part, found: Found, anomaly_id: UUID) -> AnomalyDetected:
    return AnomalyDetected(
        organization_id=scan.organization_id,
        anomaly_id=anomaly_id,
        scan_id=scan.id,
        workspace_id=scan.workspace_id,
        cluster_id=scan.cluster_id,
        series=part.series,
        start=format_time(_moment(found.start)),
        severity=str(found.severity),
        score=found.score,
        reason=found.reason,
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
