"""How many listen to streams: asked of the stream process when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from app.kernel.handover import HandoverFailed, count_listeners

DROPPED = "dropped"


def stream_metrics(socket_path: Path) -> Iterable[Metric]:
    """Yield what the stream process counts; nothing while it is away."""
    try:
        counts = count_listeners(socket_path)
    except HandoverFailed:
        return
    listeners = GaugeMetricFamily("headrace_stream_listeners", "Open streams, by kind", labels=["kind"])
    for kind in sorted(counts.keys() - {DROPPED}):
        listeners.add_metric([kind], counts[kind])
    yield listeners
    yield CounterMetricFamily(
        "headrace_stream_dropped", "Listeners let go because they took nothing", value=counts.get(DROPPED, 0)
    )
