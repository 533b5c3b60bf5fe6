"""What Prometheus reads: counted as it happens in each API process, and read from the database when it asks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from app.http.platform import Platform

REQUESTS = Counter("headrace_http_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "headrace_http_request_seconds",
    "Time to answer a request",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNLIMITED = Counter("headrace_rate_limiter_failures", "Requests let pass because the rate limiter could not count them")


def observe(status: int, seconds: float) -> None:
    """Count a request that has been answered. Unknown paths share one label: callers must not make up series."""
    method, route = request.method, request.url_rule.rule if request.url_rule else "(none)"
    counter, histogram = _series(method if method in METHODS else "(other)", route, status)
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
    def __init__(self, parts: Platform) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        with self._parts.database.transaction() as session:
            return [metric for gauge in self._parts.gauges for metric in gauge(session)]


def _gauges(parts: Platform) -> CollectorRegistry:
    registry = CollectorRegistry()
    if parts.gauges:
        registry.register(_Gauges(parts))
    return registry
