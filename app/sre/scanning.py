"""What clients ask of scans, and what becomes of them. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.errors import FieldError, Invalid
from app.kernel.principal import Principal
from app.monitoring import MICRO, Incoming, MetricSeries, Place, name_in, pack, read_columns, visible_series
from app.sre.intents import RunScan
from app.sre.models import GIVEN, QUEUED, RUNNING, STORED, Anomaly, Scan, ScanSeries

MOST_SERIES: Final = 10_000
MOST_FAULTS: Final = 20


def ask_for_scan(
    session: Session, place: Place, caller: Principal, series: object, until: float | None
) -> tuple[Scan, UUID]:
    """Write a scan and its job, and return both: of the series given whole, or of stored ones that are named.

    Raises Invalid with a fault for each series, BodyTooLarge.
    """
    if isinstance(series, list) and series and all(isinstance(one, str) for one in series):
        found = find_stored(session, place, caller, series)
        rows: list[dict[str, Any]] = [{"series": row.text, "series_id": row.id, "given": None} for row in found]
        return _accept(session, _scan_of(place, caller.user_id, STORED, until), rows)
    if until is not None:
        raise Invalid(errors=[FieldError("until", "Goes with the names of stored series.")])
    rows = [{"series": one.name, "series_id": None, "given": pack(one.points)} for one in _read_given(series)]
    return _accept(session, _scan_of(place, caller.user_id, GIVEN, None), rows)


def scan_stored(
    session: Session, place: Place, rows: Sequence[MetricSeries], created_by: UUID | None, schedule_id: UUID
) -> tuple[Scan, UUID]:
    """Write a scan of stored series that a schedule asks for, and its job."""
    scan = _scan_of(place, created_by, STORED, None)
    scan.schedule_id = schedule_id
    return _accept(session, scan, [{"series": row.text, "series_id": row.id, "given": None} for row in rows])


def find_stored(session: Session, place: Place, caller: Principal, texts: Sequence[str]) -> list[MetricSeries]:
    """Return the series that texts mean: those of a name, or the one whose text with its labels it is.

    Raises Invalid for texts that mean none, and where they mean more than MOST_SERIES.
    """
    if len(texts) > MOST_SERIES:
        raise Invalid(errors=[FieldError("series", f"Must be at most {MOST_SERIES}.")])
    rows = visible_series(caller, place.organization_id)
    for name, inner in (("workspace_id", place.workspace_id), ("cluster_id", place.cluster_id)):
        rows = rows.where(getattr(MetricSeries, name) == inner) if inner else rows
    names = {name_in(text) for text in texts if "\0" not in text}
    means: dict[str, list[MetricSeries]] = {}
    for row in session.scalars(rows.where(MetricSeries.name.in_(names)).order_by(MetricSeries.id)):
        for text in {row.name, row.text}:
            means.setdefault(text, []).append(row)
    missing = [index for index, text in enumerate(texts) if text not in means]
    if missing:
        faults = [FieldError(f"series.{index}", "There is no such series.") for index in missing[:MOST_FAULTS]]
        raise Invalid(errors=faults)
    chosen = {row.id: row for text in texts for row in means[text]}
    if len(chosen) > MOST_SERIES:
        raise Invalid(errors=[FieldError("series", f"Mean more than {MOST_SERIES} series.")])
    return list(chosen.values())


def _read_given(series: object) -> list[Incoming]:
    found = read_columns(series)
    seen: dict[str, int] = {}
    for index, one in enumerate(found):
        if seen.setdefault(one.name, index) != index:
            raise Invalid(errors=[FieldError(f"series.{index}.name", "Is given twice.")])
    return found


def _scan_of(place: Place, created_by: UUID | None, source: str, until: float | None) -> Scan:
    return Scan(
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        cluster_id=place.cluster_id,
        source=source,
        until=None if until is None else round(until * MICRO),
        created_by=created_by,
    )


def _accept(session: Session, scan: Scan, rows: Sequence[Mapping[str, Any]]) -> tuple[Scan, UUID]:
    scan.series = len(rows)
    session.add(scan)
    session.flush()
    session.refresh(scan)
    fixed = {"scan_id": scan.id, "scanned_at": scan.created_at}
    session.execute(insert(table_of(ScanSeries)), [{**fixed, "position": at, **row} for at, row in enumerate(rows)])
    job_id = jobs.accept(
        session,
        RunScan(scan.id),
        organization_id=scan.organization_id,
        workspace_id=scan.workspace_id,
        cluster_id=scan.cluster_id,
        created_by=scan.created_by,
        resource=("scan", scan.id),
    )
    return scan, job_id


def begin_scan(session: Session, scan_id: UUID) -> Scan | None:
    """Let a scan be running; None when it is gone."""
    scan = session.get(Scan, scan_id, with_for_update=True)
    if scan is not None:
        scan.status = RUNNING
        session.flush()
    return scan


def sum_up(session: Session, scan: Scan) -> dict[str, Any]:
    """Write how much a scan has judged and found, and return it."""
    mine = (ScanSeries.scan_id == scan.id, ScanSeries.scanned_at == scan.created_at)
    judged = select(func.coalesce(func.sum(ScanSeries.points), 0)).where(*mine)
    scan.points = int(session.execute(judged).scalar_one() or 0)
    scan.anomalies = session.execute(select(func.count()).where(Anomaly.scan_id == scan.id)).scalar_one()
    session.flush()
    return {"series": scan.series, "points": scan.points, "anomalies": scan.anomalies}


def scan_ended(session: Session, job: jobs.Job) -> None:
    """Let a scan have ended as its job has."""
    scan = session.get(Scan, job.resource_id, with_for_update=True)
    if scan is not None:
        scan.status, scan.finished_at = job.status, database_now()
        session.flush()


def scan_retried(session: Session, job: jobs.Job) -> None:
    """Let a scan wait again whose job is tried once more."""
    scan = session.get(Scan, job.resource_id, with_for_update=True)
    if scan is not None:
        scan.status, scan.finished_at = QUEUED, None
        session.flush()


def pending_positions(session: Session, scan: Scan) -> Iterator[int]:
    """Return the positions of the series that are not judged yet."""
    mine = (ScanSeries.scan_id == scan.id, ScanSeries.scanned_at == scan.created_at, ScanSeries.points.is_(None))
    return iter(session.scalars(select(ScanSeries.position).where(*mine).order_by(ScanSeries.position)).all())
