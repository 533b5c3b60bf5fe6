"""Containers of a pod in few words: what they ask for, what they may have at most, how they are probed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.tenancy import read_quantity
from tasks.clusters.fields import at, maps, number, text
from tasks.clusters.gateways.kubernetes import Object

RESOURCES: Final = ("cpu", "memory")
PROBES: Final = ("liveness", "readiness", "startup")
LONGEST_AMOUNT: Final = 40
MOST_AMOUNT: Final = 10**18


def describe_parts(pod: Object) -> list[dict[str, Any]]:
    """Return the containers of a pod; processors are counted, memory is in bytes."""
    told = {text(one, "name"): one for one in maps(pod, "status", "containerStatuses")}
    named = ((text(one, "name"), one) for one in maps(pod, "spec", "containers"))
    return [_describe(name, one, told.get(name, {})) for name, one in named if name]


def _describe(name: str, spec: Object, status: Object) -> dict[str, Any]:
    return {
        "name": name,
        "requests": _amounts(at(spec, "resources", "requests")),
        "limits": _amounts(at(spec, "resources", "limits")),
        "ports": [port for one in maps(spec, "ports") if (port := _tcp_port(one))],
        "probes": [probe for probe in PROBES if isinstance(spec.get(f"{probe}Probe"), dict)],
        "ready": status.get("ready") is True,
        "restarts": number(status.get("restartCount")) or 0,
    }


def _tcp_port(said: Object) -> int | None:
    """A port of another protocol cannot be probed, and a pod that is probed there is never ready."""
    return number(said.get("containerPort")) if said.get("protocol") in (None, "TCP") else None


def _amounts(said: Any) -> dict[str, float]:
    texts = {name: said.get(name) for name in RESOURCES} if isinstance(said, Mapping) else {}
    short = {name: one for name, one in texts.items() if isinstance(one, str) and len(one) <= LONGEST_AMOUNT}
    amounts = {name: read_quantity(one) for name, one in short.items()}
    return {name: float(one) for name, one in amounts.items() if one is not None and 0 <= one < MOST_AMOUNT}
