"""Scans by the clock: stored series that are scanned every so many seconds. The session comes first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.identity import read_rights
from app.kernel.clock import database_now
from app.kernel.errors import Invalid
from app.kernel.principal import Principal
from app.monitoring import Place
from app.sre.models import ScanSchedule
from app.sre.scanning import find_stored, scan_stored

AT_ONCE: Final = 20


def make_schedule(session: Session, place: Place, caller: Principal, fields: dict[str, Any]) -> ScanSchedule:
    """Write a schedule; it is due at once."""
    schedule = ScanSchedule(
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        cluster_id=place.cluster_id,
        created_by=caller.user_id,
        **fields,
    )
    session.add(schedule)
    session.flush()
    session.refresh(schedule)
    return schedule


def change_schedule(session: Session, schedule: ScanSchedule, fields: dict[str, Any]) -> ScanSchedule:
    """Write the given fields of a schedule; another interval counts from now."""
    for name, value in fields.items():
        setattr(schedule, name, value)
    if "interval_seconds" in fields:
        schedule.next_run_at = database_now() + timedelta(seconds=schedule.interval_seconds)
    session.flush()
    session.refresh(schedule)
    return schedule


def run_due(session: Session) -> int:
    """Ask for the scans of some schedules that are due, each once however many ask; returns of how many.

    A schedule whose maker may not read its series any more, or whose series are all gone, scans nothing.
    """
    due = select(ScanSchedule).where(ScanSchedule.enabled, ScanSchedule.next_run_at <= database_now())
    due = due.order_by(ScanSchedule.next_run_at).limit(AT_ONCE).with_for_update(skip_locked=True)
    schedules = session.scalars(due).all()
    for schedule in schedules:
        _run(session, schedule)
        schedule.next_run_at = database_now() + timedelta(seconds=schedule.interval_seconds)
    session.flush()
    return len(schedules)


def _run(session: Session, schedule: ScanSchedule) -> None:
    maker = read_rights(session, schedule.created_by) if schedule.created_by else None
    if maker is None:
        return
    place = Place(schedule.organization_id, schedule.workspace_id, schedule.cluster_id)
    rows = []
    for text in schedule.series:
        try:
            rows += find_stored(session, place, maker, [text])
        except Invalid:
            continue
    if rows:
        unique = list({row.id: row for row in rows}.values())
        scan, _ = scan_stored(session, place, unique, schedule.created_by, schedule.id)
        schedule.last_scan_id = scan.id
