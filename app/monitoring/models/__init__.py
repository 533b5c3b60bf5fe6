"""The tables of monitoring."""

from app.monitoring.models.alerts import (
    ALERTMANAGER,
    RULE,
    SEVERITIES,
    SOURCES,
    STATUSES,
    Alert,
    AlertGroup,
    AlertRule,
    AlertStep,
    AlertTrial,
    Silence,
)
from app.monitoring.models.series import COARSE, FINE, RESOLUTIONS, MetricChunk, MetricRollup, MetricSeries

__all__ = [
    "ALERTMANAGER",
    "COARSE",
    "FINE",
    "RESOLUTIONS",
    "RULE",
    "SEVERITIES",
    "SOURCES",
    "STATUSES",
    "Alert",
    "AlertGroup",
    "AlertRule",
    "AlertStep",
    "AlertTrial",
    "MetricChunk",
    "MetricRollup",
    "MetricSeries",
    "Silence",
]
