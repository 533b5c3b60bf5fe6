"""Servers that samples are pulled from: one Protocol, a Prometheus and the metrics API of a cluster behind it."""

from tasks.monitoring.gateways.base import Source
from tasks.monitoring.gateways.errors import QueryRefused, SourceAway, SourceError, SourceRefused, TooMuch, Unreadable
from tasks.monitoring.gateways.kubernetes import KubernetesSource
from tasks.monitoring.gateways.prometheus import PrometheusSource

__all__ = [
    "KubernetesSource",
    "PrometheusSource",
    "QueryRefused",
    "Source",
    "SourceAway",
    "SourceError",
    "SourceRefused",
    "TooMuch",
    "Unreadable",
]
