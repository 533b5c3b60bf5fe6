"""A cluster's metrics API (https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/), with what
its nodes can give and what its quotas say. It knows how things are now, and remembers nothing.

kubernetes_node_cpu_cores{node}            kubernetes_node_memory_bytes{node}
kubernetes_node_cpu_allocatable_cores      kubernetes_node_memory_allocatable_bytes
kubernetes_pod_cpu_cores{namespace,pod,container}   kubernetes_pod_memory_bytes{namespace,pod,container}
kubernetes_quota_used{namespace,quota,resource}     kubernetes_quota_hard{namespace,quota,resource}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final

import numpy as np

from app.monitoring import MICRO, MOST_SERIES, Received
from tasks.clusters.gateways.kubernetes import (
    PAGE,
    AccessDenied,
    AnswerTooLarge,
    Cluster,
    ClusterAway,
    ClusterError,
    Kind,
    NotKubernetes,
    Object,
    ObjectNotFound,
    kinds,
)
from tasks.monitoring.gateways.errors import SourceAway, SourceRefused, TooMuch, Unreadable
from tasks.monitoring.gateways.quantities import read_quantity

NODE_METRICS: Final = Kind("metrics.k8s.io/v1beta1", "NodeMetrics", "nodes", namespaced=False)
POD_METRICS: Final = Kind("metrics.k8s.io/v1beta1", "PodMetrics", "pods")
# What is older tells of a node that nobody measures any more; what is later, of a clock.
OLDEST_SECONDS: Final = 600
LATEST_SECONDS: Final = 60
_UNITS: Final = {"cpu": "cores", "memory": "bytes"}

Moment = tuple[float, str, dict[str, str], float]


class KubernetesSource:
    """`Source` by a cluster that is open."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, after: int, until: int) -> Received:  # noqa: ARG002 - it remembers nothing
        received = Received()
        with _told():
            for at, name, labels, value in self._tell(until):
                if len(received.series) == MOST_SERIES:
                    received.rejected["limit"] += 1
                    break
                times = np.array([round(at * MICRO)], np.int64)
                received.take(name, labels, times, np.array([value], np.float64))
        return received

    def close(self) -> None:
        self._cluster.close()

    def _tell(self, until: int) -> Iterator[Moment]:
        for measured in self._list(NODE_METRICS):
            yield from _of_node_metrics(measured, until)
        # Without these rights a share cannot be told, but all else can.
        with suppress(AccessDenied):
            for node in self._list(kinds.NODE):
                yield from _of_node(node, until)
        with suppress(AccessDenied):
            for quota in self._list(kinds.RESOURCE_QUOTA):
                yield from _of_quota(quota, until)
        for measured in self._list(POD_METRICS):
            yield from _of_pod_metrics(measured, until)

    def _list(self, kind: Kind) -> Iterator[Object]:
        """Yield all objects of a kind; whoever reads stops when it is enough."""
        more: str | None = None
        while True:
            page = self._cluster.list_page(kind, limit=PAGE, more=more)
            yield from page.items
            more = page.more
            if more is None or not page.items:
                return


def _of_pod_metrics(measured: Object, until: int) -> Iterator[Moment]:
    at, containers = _moment(measured.get("timestamp"), until), measured.get("containers")
    if at is None or not isinstance(containers, list):
        return
    for one in containers:
        if isinstance(one, Mapping) and isinstance(one.get("name"), str):
            labels = {"namespace": _name(measured, "namespace"), "pod": _name(measured), "container": one["name"]}
            yield from _amounts("kubernetes_pod_{}_{}", labels, one.get("usage"), at)


def _of_node_metrics(measured: Object, until: int) -> Iterator[Moment]:
    at = _moment(measured.get("timestamp"), until)
    if at is not None:
        yield from _amounts("kubernetes_node_{}_{}", {"node": _name(measured)}, measured.get("usage"), at)


def _of_node(node: Object, until: int) -> Iterator[Moment]:
    status = node.get("status") or {}
    labels = {"node": _name(node)}
    yield from _amounts("kubernetes_node_{}_allocatable_{}", labels, status.get("allocatable"), until)


def _amounts(name: str, labels: dict[str, str], given: Any, at: float) -> Iterator[Moment]:
    for resource, unit in _UNITS.items():
        value = read_quantity(given.get(resource)) if isinstance(given, Mapping) else None
        if value is not None:
            yield at, name.format(resource, unit), labels, value


def _of_quota(quota: Object, until: int) -> Iterator[Moment]:
    status = quota.get("status") or {}
    for part in ("used", "hard"):
        given = status.get(part)
        for resource, amount in given.items() if isinstance(given, Mapping) else ():
            value = read_quantity(amount)
            if value is not None:
                labels = {"namespace": _name(quota, "namespace"), "quota": _name(quota), "resource": str(resource)}
                yield float(until), f"kubernetes_quota_{part}", labels, value


def _name(body: Object, field: str = "name") -> str:
    return str(body["metadata"].get(field, ""))


def _moment(text: Any, until: int) -> float | None:
    """Return when something was measured, in seconds; None for what is too old, or in the future."""
    try:
        at = datetime.fromisoformat(text).timestamp()
    except (OverflowError, TypeError, ValueError):
        return None
    return at if until - OLDEST_SECONDS < at <= until + LATEST_SECONDS else None


@contextmanager
def _told() -> Iterator[None]:
    """Say in the words of sources what goes wrong with a cluster."""
    try:
        yield
    except ObjectNotFound as error:
        raise SourceRefused("The cluster has no metrics API: metrics-server is what usually brings it.") from error
    except ClusterAway as error:
        raise SourceAway(error.message) from error
    except AnswerTooLarge as error:
        raise TooMuch(error.message) from error
    except NotKubernetes as error:
        raise Unreadable(error.message) from error
    except ClusterError as error:
        raise SourceRefused(error.message) from error
