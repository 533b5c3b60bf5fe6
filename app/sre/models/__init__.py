"""The tables of SRE."""

from app.sre.models.anomaly import SEVERITIES, Anomaly
from app.sre.models.scan import (
    GIVEN,
    QUEUED,
    RUNNING,
    SOURCES,
    STATUSES,
    STORED,
    Scan,
    ScanSchedule,
    ScanSeries,
    SeriesState,
)

__all__ = [
    "GIVEN",
    "QUEUED",
    "RUNNING",
    "SEVERITIES",
    "SOURCES",
    "STATUSES",
    "STORED",
    "Anomaly",
    "Scan",
    "ScanSchedule",
    "ScanSeries",
    "SeriesState",
]
