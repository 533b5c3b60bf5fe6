"""What is kept of metrics and scans."""

from __future__ import annotations

from dataclasses import dataclass

from config.declaring import setting


@dataclass(frozen=True)
class WatchingSettings:
    """Metrics and scans."""

    metric_series: int = setting(50_000, "series that an organization may have; 0 sets no limit")
    metric_days: int = setting(15, "how long samples are kept after they were written, in whole weeks")
    metric_rollup_days: int = setting(400, "how long their roll-ups are kept, and series that nobody writes to")
    scan_days: int = setting(30, "how long the scores of anomaly scans are kept, in whole weeks; anomalies stay")
