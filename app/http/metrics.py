"""What Prometheus reads: counted as it happens in each API process, and read from the database when it asks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import cache

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.http.disks import read_stores
from app.http.platform import Platform
from app.http.stream_metrics import stream_metrics
from app.kernel.clock import database_now
from app.kernel.events import EventRecord

log = logging.getLogger(__name__)

REQUESTS = Counter("headrace_http_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "headrace_http_request_seconds",
    "Time to answer a request",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REFUSED = Counter("headrace_requests_refused", "Requests refused for what was the matter with the database", ["reason"])
UNLIMITED = Counter("headrace_rate_limiter_failures", "Requests let pass because the rate limiter could not count them")


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that has been answered."""
    counter, histogram = _series(method, route, status)
    counter.inc()
    histogram.observe(seconds)


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), SECONDS.labels(method, route)


def render(parts: Platform) -> Response:
    """Return all metrics as text: of all API processes, and what the rooms read from the database."""
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    except ValueError:
        registry = REGISTRY
    text = generate_latest(registry) + generate_latest(_gauges(parts))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class _Gauges(Collector):
    """What is looked at when Prometheus asks. With a vital part away there is nothing else to look at."""

    def __init__(self, parts: Platform) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("headrace_part_up", "Whether a part of the platform is healthy", labels=["part"])
        serves = True
        for check in sorted(self._parts.checks, key=lambda check: not check.vital):
            found = check.run()["status"] if serves else "unhealthy"
            up.add_metric([check.name], float(found == "healthy"))
            serves = serves and found != "unhealthy"
        yield up
        yield from stream_metrics(self._parts.stream_socket)
        yield from read_stores({"logs": self._parts.log_store, "artifacts": self._parts.artifact_store})
        if serves:
            yield from self._read_database()

    def _read_database(self) -> list[Metric]:
        """Read what the rooms tell; nothing where the database went away since it was checked."""
        try:
            return self._read_gauges()
        except SQLAlchemyError:
            log.warning("metrics without those of the database, which has just gone", exc_info=True)
            return []

    def _read_gauges(self) -> list[Metric]:
        with self._parts.database.transaction() as session:
            return [metric for gauge in (_read_event_lag, *self._parts.gauges) for metric in gauge(session)]


def _read_event_lag(session: Session) -> Iterable[Metric]:
    age = func.extract("epoch", database_now() - func.min(EventRecord.created_at))
    seconds = session.execute(select(age).where(EventRecord.dispatched_at.is_(None))).scalar_one()
    yield GaugeMetricFamily(
        "headrace_events_oldest_seconds", "For how long the oldest event waits to be dispatched", max(seconds or 0.0, 0)
    )


def _gauges(parts: Platform) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Gauges(parts))
    return registry
