"""The tables of SRE."""

from app.sre.models.anomaly import SEVERITIES, Anomaly
from app.sre.models.problem import (
    CLOSED,
    INVESTIGATING,
    OPEN,
    PROBLEM_SEVERITIES,
    PROBLEM_STATUSES,
    RESOLVED,
    UNRESOLVED,
    Problem,
    ProblemSignal,
    ProblemStep,
)
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
    "CLOSED",
    "GIVEN",
    "INVESTIGATING",
    "OPEN",
    "PROBLEM_SEVERITIES",
    "PROBLEM_STATUSES",
    "QUEUED",
    "RESOLVED",
    "RUNNING",
    "SEVERITIES",
    "SOURCES",
    "STATUSES",
    "STORED",
    "UNRESOLVED",
    "Anomaly",
    "Problem",
    "ProblemSignal",
    "ProblemStep",
    "Scan",
    "ScanSchedule",
    "ScanSeries",
    "SeriesState",
]
