"""The tables of monitoring."""

from app.monitoring.models.series import COARSE, FINE, RESOLUTIONS, MetricChunk, MetricRollup, MetricSeries

__all__ = ["COARSE", "FINE", "RESOLUTIONS", "MetricChunk", "MetricRollup", "MetricSeries"]
