"""What metrics-server would have measured of nodes and pods."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.support.kubernetes import kinds
from tests.support.kubernetes.api import Api
from tests.support.kubernetes.objects import key_of

NODES, PODS = kinds.METRICS


def measure_node(api: Api, name: str, cpu: str, memory: str, at: float) -> None:
    """Let a node use so much."""
    _put(api, NODES, {"metadata": {"name": name}, **_measured(at), "usage": {"cpu": cpu, "memory": memory}})


def measure_pod(api: Api, namespace: str, name: str, used: dict[str, tuple[str, str]], at: float) -> None:
    """Let the containers of a pod use so much: processor and memory by the container's name."""
    containers = [{"name": one, "usage": {"cpu": cpu, "memory": memory}} for one, (cpu, memory) in used.items()]
    _put(api, PODS, {"metadata": {"name": name, "namespace": namespace}, **_measured(at), "containers": containers})


def _measured(at: float) -> dict[str, Any]:
    return {"timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "window": "15s"}


def _put(api: Api, resource: kinds.Resource, body: dict[str, Any]) -> None:
    with api.store.lock:
        api.has_metrics = True
        body["metadata"] |= {"uid": str(uuid4()), "creationTimestamp": body["timestamp"]}
        named = {"apiVersion": resource.api_version, "kind": resource.kind}
        api.store.put(key_of(resource, body), named | body)
