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
from app.monitoring.models.sources import (
    KUBERNETES,
    LONGEST_SPAN,
    PROMETHEUS,
    SOURCE_KINDS,
    MetricSource,
    vault_context,
)

__all__ = [
    "ALERTMANAGER",
    "COARSE",
    "FINE",
    "KUBERNETES",
    "LONGEST_SPAN",
    "PROMETHEUS",
    "RESOLUTIONS",
    "RULE",
    "SEVERITIES",
    "SOURCES",
    "SOURCE_KINDS",
    "STATUSES",
    "Alert",
    "AlertGroup",
    "AlertRule",
    "AlertStep",
    "AlertTrial",
    "MetricChunk",
    "MetricRollup",
    "MetricSeries",
    "MetricSource",
    "Silence",
    "vault_context",
]
