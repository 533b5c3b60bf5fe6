"""How long scans are kept: their scores in weeks that are dropped whole. The session comes first."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_days
from app.kernel.partitions import Partition, make_partitions, old_partitions
from app.sre.models import Scan, ScanSeries


def make_scan_partitions(session: Session) -> None:
    """See that scans have room for this week and the next four."""
    make_partitions(session, ScanSeries.__tablename__, "scanned_at")


def old_scans(session: Session, days: int) -> list[Partition]:
    """Return the weeks of scans that are older than so many days."""
    return old_partitions(session, ScanSeries.__tablename__, days)


def forget_scans(session: Session, days: int, limit: int = 1000) -> int:
    """Delete some scans that are older than so many whole weeks; returns how many. Their anomalies stay."""
    old = select(Scan.id).where(Scan.created_at < database_now() - sql_days(days + 7)).limit(limit)
    gone = delete(Scan).where(Scan.id.in_(old)).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
